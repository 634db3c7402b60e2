"""Photos a second from prepared data into batches of 64x64 Lab: `python benchmarks/decode.py --dir=data`.

Prints one JSON line for each number of threads; `enough` says whether 1,000 photos a second are reached. On a busy
machine read `cpu_ms_per_image`: with c cores to itself the program makes at most `1000 * c / cpu_ms_per_image`.
"""

import json
import os
import time
from collections.abc import Sequence

from colorize_jax.apps import common

# isort: split
from absl import flags

from colorize_jax.data.pipeline import MixturePart, Training
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.data.transforms import View

_DIR = flags.DEFINE_string("dir", "data", "Where prepared data sets are.")
_DATASET = flags.DEFINE_string("dataset", "lfw_deepfunneled", "A prepared data set.")
_BATCHES = flags.DEFINE_integer("batches", 100, "Batches of 32 to time.")
_THREADS = flags.DEFINE_multi_integer("threads", [0, 1, 2, 4], "Numbers of threads to time.")

BATCH_SIZE = 32
ENOUGH = 1000  # images a second


def measure(photos: PhotoSource, threads: int, batches: int) -> dict[str, float | int | bool]:
    """Wall and processor time of `batches` batches, after a few that fill the buffers and open the files."""
    stream = Training(
        [MixturePart(photos, 1.0)], batch_size=BATCH_SIZE, view=View(flip=True), seed=0, threads=threads
    ).iterate()
    for _ in range(4 * threads + 2):
        next(stream)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(batches):
        next(stream)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    images = batches * BATCH_SIZE
    return {
        "threads": threads,
        "images_per_s": round(images / wall, 1),
        "cpu_ms_per_image": round(1000 * processor / images, 3),
        "enough": images / wall >= ENOUGH,
    }


def main(arguments: Sequence[str]) -> None:
    """Times each number of threads."""
    del arguments
    photos = PhotoSource(_DIR.value, _DATASET.value, "train")
    for threads in _THREADS.value:
        machine = {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2)}
        print(json.dumps({"dataset": _DATASET.value, **measure(photos, threads, _BATCHES.value), **machine}))


if __name__ == "__main__":
    common.run(main)
