"""Bulk work that is killed and resumed, against bulk work that is not: `python benchmarks/bulk.py --out=/tmp/bulk`.

Makes small photos of many sizes out of an archive (or of noise), and some files that are broken; colours them in one
process, and then in two, of which one is killed with `kill -9` half-way and started again. Fails unless the two
results have the same files with the same bytes, nothing besides, every photo once in the ledgers, and every broken file
in the reports. Prints one JSON line with the rates.
"""

import filecmp
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

from colorize_jax.apps import common
from colorize_jax.inference.bulk import FOLDER

_OUT = flags.DEFINE_string("out", None, "An empty folder, or one that does not exist.", required=True)
_PHOTOS = flags.DEFINE_integer("photos", 100, "Photos to make, besides the broken ones.", lower_bound=8)
_SOURCE = flags.DEFINE_string("source", None, "A tgz or zip of JPEG images; noise where it is left out.")
_MODEL = flags.DEFINE_string("model", "default", "As of colorize.")
_SAMPLES = flags.DEFINE_integer("samples", 5, "As of colorize.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "As of colorize.")
_SHEET = flags.DEFINE_bool("contact_sheet", True, "As of colorize.")

BROKEN = 3


def images(source: str | None) -> Iterator[Image.Image]:
    """The images of the archive, over and over; or endless noise."""
    if source is None:
        draw = np.random.default_rng(0)
        while True:
            yield Image.fromarray(draw.integers(0, 256, (8, 8), np.uint8))
    while True:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                for name in archive.namelist():
                    if name.lower().endswith((".jpg", ".jpeg")):
                        yield Image.open(io.BytesIO(archive.read(name)))
        else:
            with tarfile.open(source) as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.name.lower().endswith(".jpg") else None
                    if file is not None:
                        yield Image.open(io.BytesIO(file.read()))


def make_photos(folder: Path, count: int, source: str | None) -> None:
    """Gray photos of 64 to 128 pixels a side, a thousand a sub-folder, and a few that are cut off."""
    sizes = np.random.default_rng(1).integers(64, 129, (count, 2)).tolist()
    for number, (image, size) in enumerate(zip(itertools.islice(images(source), count), sizes, strict=True)):
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.convert("L").resize(size, Image.Resampling.BICUBIC).save(path)
    whole = path.read_bytes()
    for number in range(BROKEN):
        (folder / f"broken_{number}.jpg").write_bytes(whole[: len(whole) // 2])


def start(photos: Path, out: Path, process: int, processes: int) -> subprocess.Popen[bytes]:
    """`colorize` on one part of the photos."""
    flag = {
        "out": out,
        "model": _MODEL.value,
        "samples": _SAMPLES.value,
        "batch_size": _BATCH_SIZE.value,
        "contact_sheet": _SHEET.value,
        "processes": processes,
        "process_id": process,
    }
    command = [sys.executable, "-m", "colorize_jax.apps.colorize", str(photos), "--multihost"]
    return subprocess.Popen([*command, *(f"--{name}={value}" for name, value in flag.items())])


def lines(out: Path, kind: str) -> list[dict]:
    """The whole lines of the ledgers (or of the reports) of all processes."""
    found = []
    for path in sorted((out / FOLDER).glob(f"{kind}-*.jsonl")):
        found += [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    return found


def done(out: Path, process: int | None = None) -> list[str]:
    """Photos that the ledgers call done, or those of one process."""
    kind = "ledger" if process is None else f"ledger-{process:04d}"
    return [line["done"] for line in lines(out, kind) if "done" in line]


def kill_half_way(victim: subprocess.Popen[bytes], out: Path, share: int) -> int:
    """Kills process 1 when it has done half of its share; returns how many it had done."""
    while len(done(out, 1)) < share // 2:
        if victim.poll() is not None:
            raise SystemExit("the process ended before it could be killed; ask for more --photos")
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    return len(done(out, 1))


def check(condition: bool, what: str) -> None:
    """Ends the program where the condition does not hold."""
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def pictures(out: Path) -> set[Path]:
    """Every file below `out`, but for the ledgers."""
    found = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    return {path for path in found if path.parts[0] != FOLDER}


def compare(single: Path, double: Path, count: int) -> None:
    """Both results are whole and the same."""
    for out in (single, double):
        times = Counter(done(out))
        check(len(times) == count, f"{out}: the ledgers have {len(times)} of {count} photos")
        check(set(times.values()) == {1}, f"{out}: some photos are done more than once in the ledgers")
        check(
            len(lines(out, "errors")) == BROKEN, f"{out}: the reports do not have the {BROKEN} broken files"
        )
    files = pictures(single)
    check(files == pictures(double), f"other files: {sorted(files ^ pictures(double))[:5]}")
    check(len(files) == count * (_SAMPLES.value + _SHEET.value), f"{len(files)} files of {count} photos")
    differing = [path for path in files if not filecmp.cmp(single / path, double / path, shallow=False)]
    check(not differing, f"{len(differing)} files differ, such as {differing[:5]}")


def main(arguments: Sequence[str]) -> None:
    """Makes, colours twice, compares."""
    del arguments
    base, count = Path(_OUT.value), _PHOTOS.value
    photos, single, double = base / "photos", base / "single", base / "double"
    if base.exists() and any(base.iterdir()):
        raise ValueError(f"--out is {base}, which is not empty; give another folder")
    make_photos(photos, count, _SOURCE.value)
    began = time.monotonic()
    check(start(photos, single, 0, 1).wait() == 1, "broken files must end in exit code 1")
    one = time.monotonic() - began
    began = time.monotonic()
    first, victim = (start(photos, double, process, 2) for process in range(2))
    killed_at = kill_half_way(victim, double, count // 2)
    again = start(photos, double, 1, 2)
    codes = {first.wait(), again.wait()}
    two = time.monotonic() - began
    check(1 in codes and codes <= {0, 1}, f"exit codes {codes}")
    compare(single, double, count)
    result = {
        "photos": count,
        "files": len(pictures(double)),
        "killed_after": killed_at,
        "photos_per_s_one_process": round(count / one, 2),
        "photos_per_s_two_processes_one_killed": round(count / two, 2),
        "cores": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    common.run(main)
