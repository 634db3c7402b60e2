"""Prepared data sets: which are there, what is in them, and random access to their encoded photos."""

import json
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

VERSION = "1.0.0"
_OPENING = threading.Lock()
_NAMED = 10  # corrupt photos


class Summary(NamedTuple):
    """What a prepared data set holds.

    Attributes:
      name: of the data set.
      folder: where its records lie.
      source: name of the archive or folder that it was prepared from.
      split: who chose the test images: "publisher's" or "random, seed 0".
      images: number of photos in each split.
      split_hash: of the names in each split, see `splits.split_hash`.
      skipped: how many photos were left out.
      unlike: the sets and archives of which it holds no near-copy; empty where none was looked for.
    """

    name: str
    folder: Path
    source: str
    split: str
    images: dict[str, int]
    split_hash: dict[str, str]
    skipped: int
    unlike: Sequence[str] = ()


class Record(NamedTuple):
    """One photo: its file name, its encoded bytes, and how people have divided it, see `regions`; empty: nobody has."""

    name: str
    image: bytes
    regions: bytes = b""


def is_prepared(directory: str | os.PathLike[str], name: str) -> bool:
    """Whether `name` was prepared to its end; an interrupted preparation has another folder name."""
    return (Path(directory) / name / VERSION / "dataset_info.json").is_file()


def prepared_names(directory: str | os.PathLike[str]) -> list[str]:
    """The names of the data sets prepared in `directory`, sorted."""
    return sorted(path.parts[-3] for path in Path(directory).glob(f"*/{VERSION}/dataset_info.json"))


def summary(directory: str | os.PathLike[str], name: str) -> Summary:
    """What the prepared data set `name` holds.

    Raises:
      ValueError: it is not prepared; the message lists those that are.
    """
    if not is_prepared(directory, name):
        there = ", ".join(prepared_names(directory)) or "none"
        raise ValueError(
            f"data: {name!r} is not prepared in {directory}, prepared are: {there}; "
            f"prepare it with colorize-data --dir={directory} or change config.data.dir"
        )
    folder = Path(directory) / name / VERSION
    return Summary(name=name, folder=folder, **json.loads((folder / "metadata.json").read_text()))


def skipped(directory: str | os.PathLike[str], name: str) -> list[dict[str, str]]:
    """The photos left out of a prepared data set: `name` and `reason` each, sorted by name."""
    return json.loads((summary(directory, name).folder / "skipped.json").read_text())


def describe(found: Summary) -> str:
    """Counts, split hashes and skipped photos of a prepared data set, for people to read."""
    lines = [f"{found.name} in {found.folder}, from {found.source}; split: {found.split}"]
    lines += [
        f"  {split:5} {count:7,} photos  split hash {found.split_hash[split]}"
        for split, count in found.images.items()
    ]
    reasons = Counter(
        entry["reason"].split(":")[0] for entry in skipped(found.folder.parent.parent, found.name)
    )
    unread = corrupt(found)
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    lines.append(
        f"  skipped {found.skipped}"
        + (f" ({told}), listed in {found.folder / 'skipped.json'}" if told else "")
    )
    more = f"    and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
    return "\n".join([*lines, *(f"    {each}" for each in unread[:_NAMED]), *filter(None, [more])])


def corrupt(found: Summary) -> list[str]:
    """Name and fault of every photo that could not be read."""
    return [
        f"{each['name']}: {each['reason']}"
        for each in skipped(found.folder.parent.parent, found.name)
        if each["reason"].startswith("corrupt")
    ]


class PhotoSource:
    """Random access to the records of one prepared split; pickles as a path, so that workers can open their own.

    Raises:
      ValueError: the data set is not prepared or has no such split.
    """

    def __init__(self, directory: str | os.PathLike[str], name: str, split: str):
        self.summary = summary(directory, name)
        if split not in self.summary.images:
            known = ", ".join(self.summary.images)
            raise ValueError(f"data: {name!r} has no split {split!r}, its splits are {known}")
        self.split = split
        self._records: Any = None

    def __len__(self) -> int:
        return self.summary.images[self.split]

    def __getitem__(self, index: SupportsIndex) -> Record:
        return _parsed(self._open()[int(index)])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_records": None}

    def __repr__(self) -> str:
        return f"PhotoSource({self.summary.folder}, {self.split!r})"

    def _open(self) -> Any:
        # Two threads that import tensorflow_datasets together can wait for ever, one for Python's lock of a
        # module and the other for the lock of the lazy attribute that imports it.
        with _OPENING:
            if self._records is None:
                import tensorflow_datasets as tfds

                builder = tfds.builder_from_directory(self.summary.folder)
                raw = tfds.decode.DeserializeMethod.RAW_BYTES
                self._records = builder.as_data_source(self.split, deserialize_method=raw)
        return self._records


def _parsed(serialized: bytes) -> Record:
    # The builder's parser wraps all fields into arrays, at five times the price.
    from tensorflow_datasets.proto import tf_example_pb2

    fields = tf_example_pb2.Example.FromString(serialized).features.feature
    values = {key: field.bytes_list.value[0] for key, field in fields.items()}
    return Record(values["name"].decode(), values["image"], values.get("regions", b""))
