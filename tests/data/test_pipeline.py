"""The stream is random access by step, whatever the threads, the start and the hosts."""

import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import mini_archives as archives
import numpy as np
import pytest
import tensorflow_datasets as tfds

from colorize_jax.config import common
from colorize_jax.data import pipeline
from colorize_jax.data.pipeline import MixturePart, Training
from colorize_jax.data.prepare import prepare
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.data.transforms import View

VIEW = View(image_size=16, crop=0.7, flip=True)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Two sets: `many` (12 + 5 photos) and `few` (4 + 1)."""
    root = tmp_path_factory.mktemp("data")
    for name, count, first, test in (("many", 17, 0, 5), ("few", 5, 100, 1)):
        content = archives.files(count, name + "{}.jpg", first=first)
        source = archives.write_folder(root / "photos" / name, content)
        prepare("folder", directory=root, source=source, name=name, test_images=test)
    return root


@pytest.fixture
def data(directory):
    data = common().data
    data.update({"dir": str(directory), "image_size": 16, "crop": 0.7})
    data.update({"mixture": (("many", "train", 1.0),), "test": ("many", "test")})
    return data


def part(directory, name, weight=1.0):
    return MixturePart(PhotoSource(directory, name, "train"), weight)


def equal(one, two):
    return one.keys() == two.keys() and all((one[key] == two[key]).all() for key in one)


def test_batches_have_the_promised_shapes(data):
    data.lightness_large = 24
    batch = pipeline.training(data, batch_size=4, seed=0).batch_at(0)
    shapes = {key: value.shape for key, value in batch.items()}
    assert shapes == {"lightness": (4, 16, 16, 1), "ab": (4, 16, 16, 2), "lightness_large": (4, 24, 24, 1)}
    assert all(value.dtype == np.float32 and np.abs(value).max() <= 1.001 for value in batch.values())
    data.ab_large = True
    colored = pipeline.training(data, batch_size=4, seed=0).batch_at(0)
    assert colored["ab_large"].shape == (4, 24, 24, 2)
    assert all((colored[name] == value).all() for name, value in batch.items())
    tested = next(pipeline.evaluation(data, batch_size=4))
    assert tested["ab_large"].shape == (4, 24, 24, 2)


@pytest.mark.parametrize("threads", [0, 3])
def test_iterate_is_batch_at_from_any_step(directory, threads):
    stream = Training([part(directory, "many")], batch_size=4, view=VIEW, seed=1, threads=threads)
    straight = list(islice(stream.iterate(), 5))
    assert all(equal(batch, stream.batch_at(step)) for step, batch in enumerate(straight))
    assert all(map(equal, straight[3:], islice(stream.iterate(3), 2)))


def test_threads_open_the_records_once(directory, monkeypatch):
    """Imports of tensorflow_datasets by two threads at a time have been seen to wait for each other for ever."""
    opened, build = [], tfds.builder_from_directory

    def slow(folder):
        opened.append(folder)
        time.sleep(0.1)
        return build(folder)

    monkeypatch.setattr(tfds, "builder_from_directory", slow)
    photos = PhotoSource(directory, "many", "train")
    with ThreadPoolExecutor(3) as pool:
        names = [record.name for record in pool.map(photos.__getitem__, [0, 1, 0])]
    assert len(opened) == 1
    assert names[0] == names[2] != names[1]


def test_seed_decides_and_neighboring_seeds_share_no_epoch(directory):
    def order(seed, epoch):
        stream = Training([part(directory, "many")], batch_size=12, view=VIEW, seed=seed)
        return stream.names_at(epoch)

    orders = [tuple(order(seed, epoch)) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    assert len(set(orders)) == 9
    assert order(0, 1) == order(0, 1)
    assert all(len(set(names)) == 12 for names in orders)  # each epoch shows each photo once


def test_same_photo_is_seen_anew_in_the_next_epoch(directory):
    stream = Training([part(directory, "many")], batch_size=12, view=VIEW, seed=0)
    first, second = (dict(zip(stream.names_at(e), stream.batch_at(e)["ab"], strict=True)) for e in (0, 1))
    assert sum((first[name] == second[name]).all() for name in first) < 6


def test_hosts_make_the_slices_of_one_global_batch(directory):
    def stream(index, count):
        return Training(
            [part(directory, "many")], batch_size=6, view=VIEW, seed=0, shard_index=index, shard_count=count
        )

    whole = stream(0, 1).batch_at(7)
    slices = [stream(index, 3).batch_at(7) for index in range(3)]
    assert equal(whole, {key: np.concatenate([one[key] for one in slices]) for key in whole})


def test_mixture_has_the_weights_asked_for(directory):
    stream = Training(
        [part(directory, "many", 3.0), part(directory, "few", 1.0)], batch_size=8, view=VIEW, seed=0
    )
    seen = Counter(name.rstrip("0123456789.jpg") for step in range(5) for name in stream.names_at(step))
    assert seen == {"many": 30, "few": 10}


@pytest.mark.parametrize("weights", [(), (0.0,), (1.0, -1.0)])
def test_mixture_needs_positive_weights(directory, weights):
    with pytest.raises(ValueError, match="positive weights"):
        pipeline.mixture([part(directory, "few", weight) for weight in weights], seed=0)


def test_hosts_must_divide_the_batch(directory):
    with pytest.raises(ValueError, match="multiple of the 3 hosts"):
        Training([part(directory, "few")], batch_size=4, view=VIEW, seed=0, shard_count=3)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        Training([part(directory, "few")], batch_size=4, view=VIEW, seed=0, shard_index=2, shard_count=2)


def test_evaluation_shows_each_photo_once_and_masks_the_padding(data):
    batches = list(pipeline.evaluation(data, batch_size=3))
    assert [batch["mask"].tolist() for batch in batches] == [[True] * 3, [True, True, False]]
    assert all(batch["ab"].shape == (3, 16, 16, 2) for batch in batches)
    again = list(pipeline.evaluation(data, batch_size=3, images=3))
    assert len(again) == 1
    assert equal(batches[0], again[0])


def test_evaluation_on_two_hosts_shows_the_same(data):
    whole = list(pipeline.evaluation(data, batch_size=4))
    hosts = [list(pipeline.evaluation(data, batch_size=4, shard_index=i, shard_count=2)) for i in range(2)]
    for number, batch in enumerate(whole):
        joined = {key: np.concatenate([host[number][key] for host in hosts]) for key in batch}
        assert equal(batch, joined)


def test_epoch_is_the_first_set_unless_told(data):
    data.mixture = (("few", "train", 1.0), ("many", "train", 1.0))
    assert pipeline.num_images(data) == 4
    data.epoch_images = 99
    assert pipeline.num_images(data) == 99


def test_provenance_names_every_set(data):
    entries = pipeline.provenance(data)
    assert [(entry["dataset"], entry["split"], entry["images"]) for entry in entries] == [
        ("many", "train", 12),
        ("many", "test", 5),
    ]
    assert all(len(entry["split_hash"]) == 12 for entry in entries)


def test_unknown_sets_are_named(data):
    data.mixture = (("faces", "train", 1.0),)
    with pytest.raises(ValueError, match=r"'faces' is not prepared.*few, many"):
        pipeline.training(data, batch_size=4, seed=0)


def test_tensorflow_is_never_imported(directory):
    program = f"""
import sys
from colorize_jax.data.pipeline import MixturePart, Training
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.data.transforms import View
part = MixturePart(PhotoSource({str(directory)!r}, "few", "train"), 1.0)
next(Training([part], batch_size=2, view=View(), seed=0).iterate())
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
