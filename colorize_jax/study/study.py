"""The user study of Messaoud et al. 2018 (Sec. 4.1, Table 1): of two versions of a photo, which is more realistic?

A study is a folder with a folder of pictures for each method; `colorize photos --out=study/METHOD` writes such a one:

    study/ours/cat_1.png  study/ours/cat_2.png  ...
    study/vae_mdn/cat_1.png  study/vae_mdn/cat_2.png  ...
    study/truth/cat.jpg

Pictures of one name are compared. Where a method has one picture a photo, as the truth has, its `cat` is compared with
every `cat_N`. Folders within a method's, such as `lfw/`, are kept apart in the results as the paper's data sets are.
"""

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from colorize_jax.inference import explain

SUFFIXES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
"""Of pictures that browsers show."""

_BESIDE = tuple(f"_{name}" for name in ("sheet", *explain.NAMES))  # what `colorize` writes beside versions


class Pair(NamedTuple):
    """A picture by two methods, on the sides that they are shown on."""

    picture: str
    left: str
    right: str

    @property
    def methods(self) -> tuple[str, str]:
        """Both, by the alphabet: the same whichever is on the left."""
        return min(self.left, self.right), max(self.left, self.right)


class Study(NamedTuple):
    """What is compared.

    Attributes:
      files: of each (method, picture); every method has every picture.
      left_out: files that are not compared, since another method has no picture of their name.
    """

    files: dict[tuple[str, str], Path]
    left_out: list[Path]

    @property
    def methods(self) -> list[str]:
        return sorted({method for method, _ in self.files})

    @property
    def pictures(self) -> list[str]:
        return sorted({picture for _, picture in self.files})

    @property
    def pairs(self) -> list[Pair]:
        """Every picture by every two methods; the same two files once."""
        made: dict[tuple[Path, Path], Pair] = {}
        for picture in self.pictures:
            for a, b in combinations(self.methods, 2):
                made.setdefault((self.files[a, picture], self.files[b, picture]), Pair(picture, a, b))
        return list(made.values())

    def digests(self) -> dict[tuple[str, str], str]:
        """SHA-256 of each file, by (method, picture)."""
        return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in self.files.items()}


def read_study(folder: Path) -> Study:
    """The study in a folder.

    Raises:
      ValueError: no folder, fewer than two methods, a method without pictures, no picture that all have, two of one
        name, one that is no picture, or sizes that differ between methods.
    """
    if not folder.is_dir():
        raise ValueError(f"--study is {str(folder)!r}, which is no folder; {_ALLOWED}")
    folders = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if len(folders) < 2:
        raise ValueError(f"--study is {str(folder)!r}, with {len(folders)} folders in it; {_ALLOWED}")
    found = {each.name: _pictures(each) for each in folders}
    names = set().union(*found.values())
    shared = {name for name in names if all(name in files for files in found.values())}
    chosen: dict[tuple[str, str], Path] = {}
    for name in names:
        # `cat` stands for every version only where it is not a picture of its own in all methods.
        paths = {
            method: files.get(name) or files.get(_photo(name, shared)) for method, files in found.items()
        }
        if all(paths.values()):
            chosen |= {(method, name): path for method, path in paths.items() if path}
    if not chosen:
        raise ValueError(
            f"--study is {str(folder)!r}, where {', '.join(found)} have no picture in common; allowed are pictures of "
            "the same names; rename them"
        )
    _check_sizes(chosen)
    used = set(chosen.values())
    return Study(chosen, [path for files in found.values() for path in files.values() if path not in used])


_ALLOWED = "give one with a folder of pictures for each of two methods or more"


def _pictures(folder: Path) -> dict[str, Path]:
    """The versions below a method's folder, by their paths in it without suffix."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() not in SUFFIXES or hidden or name.endswith(_BESIDE):
            continue
        if name in found:
            raise ValueError(
                f"--study has {found[name]} and {path}; allowed is one picture of a name; remove one"
            )
        found[name] = path
    if not found:
        raise ValueError(
            f"--study has no pictures in {folder}; allowed are {' '.join(SUFFIXES)}; add some, or remove the folder"
        )
    return found


def _photo(name: str, shared: set[str]) -> str:
    """`cat` of `cat_3`; `cat_3` itself where `cat` is shared."""
    photo = re.sub(r"_\d+$", "", name)
    return name if photo in shared else photo


def _check_sizes(files: Mapping[tuple[str, str], Path]) -> None:
    first: dict[str, tuple[Path, tuple[int, int]]] = {}
    for (_, picture), path in files.items():
        size = _size(path)
        other, wanted = first.setdefault(picture, (path, size))
        if size != wanted:
            raise ValueError(
                "--study has {} of {}x{} and {} of {}x{}; allowed is one size a picture; resize one".format(
                    other, *wanted, path, *size
                )
            )


def _size(path: Path) -> tuple[int, int]:
    """Width and height as shown, in pixels."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).size  # decodes all of it
    except Exception as error:  # on broken bytes decoders raise anything
        raise ValueError(
            f"--study has {path}, which is no picture or damaged ({error}); replace it"
        ) from error


def draw(
    pairs: Sequence[Pair], votes: Mapping[tuple[str, tuple[str, str]], int], number: int, rng: random.Random
) -> list[Pair]:
    """Pairs for one rater, none of them twice, in random order.

    Of every two methods the rater gets equally many pairs, each method on the left as often as on the right (both up
    to one), and of these methods the pictures that have the fewest votes.

    Args:
      pairs: what there is, each once.
      votes: so far, by (picture, methods); 0 where there is none.
      number: how many to draw; all where there are not as many.
      rng: decides everything else.
    """
    by_methods = defaultdict(list)
    for pair in rng.sample(pairs, len(pairs)):
        by_methods[pair.methods].append(pair)
    ranked = []
    for methods, group in by_methods.items():
        group.sort(key=lambda pair: votes.get((pair.picture, pair.methods), 0))
        swapped = rng.randrange(2)
        for rank, pair in enumerate(group):
            sides = methods if (rank + swapped) % 2 else methods[::-1]
            ranked.append((rank, rng.random(), Pair(pair.picture, *sides)))
    drawn = [pair for *_, pair in sorted(ranked)[:number]]
    rng.shuffle(drawn)
    return drawn
