"""Small archives in the publishers' layouts, filled with drawn pictures."""

import io
import tarfile
import zipfile
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from colorize_jax.data import synthetic

CORRUPT = b"\xff\xd8\xff\xe0 no JPEG at all"


def encoded(seed: int, kind: str = "JPEG") -> bytes:
    """A drawn picture as the bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(synthetic.draw(seed)).save(stream, kind, quality=92)
    return stream.getvalue()


def gray(seed: int) -> bytes:
    """A colour JPEG whose channels are equal."""
    stream = io.BytesIO()
    picture = np.repeat(synthetic.draw(seed).mean(axis=-1, keepdims=True), 3, axis=-1)
    Image.fromarray(picture.astype(np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def files(count: int, template: str, *, first: int = 0) -> dict[str, bytes]:
    """`count` pictures under the names that `template` gives their numbers."""
    return {template.format(n): encoded(n) for n in range(first, first + count)}


def write_tar(path: Path, content: dict[str, bytes]) -> Path:
    """A tar, compressed where the name ends in gz, with the files in the order given."""
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_zip(path: Path, content: dict[str, bytes]) -> Path:
    """A zip with the files in the order given."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def write_folder(path: Path, content: dict[str, bytes]) -> Path:
    """The files, unpacked."""
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def lfw(count: int = 8) -> dict[str, bytes]:
    """The layout of lfw-deepfunneled.tgz, with a gray and a corrupt photo besides."""
    faces = files(count, "lfw-deepfunneled/Person_{0}/Person_{0}_0001.jpg")
    faces["lfw-deepfunneled/Gray_Man/Gray_Man_0001.jpg"] = gray(0)
    faces["lfw-deepfunneled/Torn_Photo/Torn_Photo_0001.jpg"] = CORRUPT
    return faces


def write_lsun(folder: Path, train: int = 5, val: int = 3) -> Path:
    """Both church databases as unpacked LMDB folders: 40 hex digits -> WebP."""
    for split, first, count in (("train", 0, train), ("val", train, val)):
        path = folder / f"church_outdoor_{split}_lmdb"
        path.mkdir(parents=True)
        with lmdb.open(str(path), map_size=1 << 24) as database, database.begin(write=True) as transaction:
            for number in range(first, first + count):
                transaction.put(f"{number:040x}".encode(), encoded(number, "WEBP"))
    return folder


def zip_lsun(folder: Path, target: Path) -> Path:
    """The databases of `write_lsun` as the zips that LSUN publishes."""
    target.mkdir()
    for split in ("train", "val"):
        name = f"church_outdoor_{split}_lmdb"
        inside = {f"{name}/{file.name}": file.read_bytes() for file in (folder / name).iterdir()}
        write_zip(target / f"{name}.zip", inside)
    return target


def write_imagenet_2012(folder: Path) -> Path:
    """Both archives: a tar of a tar a class, with a corrupt photo; and a flat one."""
    folder.mkdir()
    classes = {
        "n01440764": files(3, "n01440764_{}.JPEG") | {"n01440764_99.JPEG": CORRUPT},
        "n01443537": files(2, "n01443537_{}.JPEG", first=3),
    }
    inner = {name: write_tar(folder / f"{name}.tar", content) for name, content in classes.items()}
    write_tar(folder / "ILSVRC2012_img_train.tar", {path.name: path.read_bytes() for path in inner.values()})
    for path in inner.values():
        path.unlink()
    write_tar(folder / "ILSVRC2012_img_val.tar", files(2, "ILSVRC2012_val_{:08d}.JPEG", first=5))
    return folder


def zappos(top: str = "ut-zap50k-images-square") -> dict[str, bytes]:
    """The layout of UT Zappos50K: category, subcategory, brand; one file name twice."""
    return {
        f"{top}/readme.jpg": encoded(9),
        **files(3, top + "/Shoes/Oxfords/Bostonian/10{}.1.jpg"),
        **files(2, top + "/Boots/Ankle/Robert Clergerie/10{}.1.jpg", first=3),
        f"{top}/Boots/Ankle/Shoes/100.1.jpg": encoded(6),
    }


def tiny_imagenet() -> dict[str, bytes]:
    """The layout of tiny-imagenet-200.zip: labelled train, val, unlabelled test."""
    return {
        "tiny-imagenet-200/words.txt": b"n01443537\tgoldfish",
        **files(4, "tiny-imagenet-200/train/n01443537/images/n01443537_{}.JPEG"),
        **files(3, "tiny-imagenet-200/val/images/val_{}.JPEG", first=4),
        **files(2, "tiny-imagenet-200/test/images/test_{}.JPEG", first=7),
    }
