"""Each builder on a small archive in its publisher's layout."""

import random

import mini_archives as archives
import pytest

from colorize_jax.data import prepared
from colorize_jax.data.prepare import SOURCES, prepare

pytestmark = pytest.mark.quick


def names(directory, name, split):
    photos = prepared.PhotoSource(directory, name, split)
    return {photos[i].name for i in range(len(photos))}


def test_lfw_tgz_skips_and_lists_gray_and_corrupt(tmp_path):
    source = archives.write_tar(tmp_path / "lfw-deepfunneled.tgz", archives.lfw())
    summary, written = prepare("lfw_deepfunneled", directory=tmp_path, source=source, test_images=3)
    assert written
    assert summary.images == {"train": 5, "test": 3}
    assert summary.split == "random, seed 0"
    skipped = prepared.skipped(tmp_path, "lfw_deepfunneled")
    assert [entry["name"] for entry in skipped] == ["Gray_Man_0001.jpg", "Torn_Photo_0001.jpg"]
    assert skipped[0]["reason"] == "gray"
    assert skipped[1]["reason"].startswith("corrupt: ")
    assert summary.skipped == 2


def test_records_are_the_publishers_bytes(tmp_path):
    content = archives.lfw()
    source = archives.write_tar(tmp_path / "lfw.tgz", content)
    prepare("lfw_deepfunneled", directory=tmp_path, source=source, test_images=3)
    original = {name.rsplit("/")[-1]: data for name, data in content.items()}
    photos = prepared.PhotoSource(tmp_path, "lfw_deepfunneled", "train")
    assert all(original[photos[i].name] == photos[i].image for i in range(len(photos)))


def test_split_depends_on_names_and_seed_alone(tmp_path):
    content = list(archives.lfw().items())
    random.Random(1).shuffle(content)
    sources = {
        "tgz": archives.write_tar(tmp_path / "lfw.tgz", archives.lfw()),
        "shuffled": archives.write_tar(tmp_path / "shuffled.tgz", dict(content)),
        "folder": archives.write_folder(tmp_path / "unpacked", archives.lfw()),
    }
    hashes = {
        key: prepare("lfw_deepfunneled", directory=tmp_path, source=path, name=key, test_images=3)[
            0
        ].split_hash
        for key, path in sources.items()
    }
    assert hashes["tgz"] == hashes["shuffled"] == hashes["folder"]
    other = prepare(
        "lfw_deepfunneled", directory=tmp_path, source=sources["tgz"], name="other", test_images=3, seed=1
    )
    assert other[0].split_hash != hashes["tgz"]


def test_lsun_reads_both_databases_as_folders_and_as_zips(tmp_path):
    unpacked = archives.write_lsun(tmp_path / "lsun")
    zipped = archives.zip_lsun(unpacked, tmp_path / "zips")
    summary, _ = prepare("lsun_church", directory=tmp_path, source=unpacked)
    again, _ = prepare("lsun_church", directory=tmp_path, source=zipped, name="from_zips")
    assert summary.images == {"train": 5, "test": 3}
    assert summary.split_hash == again.split_hash
    assert summary.split == "publisher's"
    assert names(tmp_path, "from_zips", "test") == {f"{n:040x}" for n in (5, 6, 7)}
    assert not list(again.folder.glob("unpacked*"))


def test_imagenet_val_from_its_tar(tmp_path):
    content = archives.files(6, "ILSVRC2012_val_{:08d}.JPEG")
    source = archives.write_tar(tmp_path / "ILSVRC2012_img_val.tar", content)
    summary, _ = prepare("imagenet_val", directory=tmp_path, source=source, test_images=2)
    assert summary.images == {"train": 4, "test": 2}


def test_imagenet_2012_is_read_from_the_tars_within_its_tar(tmp_path):
    source = archives.write_imagenet_2012(tmp_path / "imagenet")
    summary, _ = prepare("imagenet_2012", directory=tmp_path, source=source)
    assert summary.images == {"train": 5, "test": 2} and summary.split == "publisher's"
    assert names(tmp_path, "imagenet_2012", "train") == {
        *(f"n01440764_{n}.JPEG" for n in range(3)),
        *(f"n01443537_{n}.JPEG" for n in (3, 4)),
    }
    (skipped,) = prepared.skipped(tmp_path, "imagenet_2012")
    assert skipped["name"] == "n01440764_99.JPEG" and skipped["reason"].startswith("corrupt")
    photos = prepared.PhotoSource(tmp_path, "imagenet_2012", "train")
    records = {photos[i].name: photos[i].image for i in range(len(photos))}
    assert records["n01443537_4.JPEG"] == archives.encoded(4)


def test_imagenet_2012_may_be_unpacked(tmp_path):
    packed = archives.write_imagenet_2012(tmp_path / "imagenet")
    wanted, _ = prepare("imagenet_2012", directory=tmp_path, source=packed)
    unpacked = tmp_path / "unpacked"
    archives.write_folder(unpacked / "train" / "n01440764", archives.files(3, "n01440764_{}.JPEG"))
    archives.write_folder(unpacked / "train" / "n01443537", archives.files(2, "n01443537_{}.JPEG", first=3))
    archives.write_folder(unpacked / "val", archives.files(2, "ILSVRC2012_val_{:08d}.JPEG", first=5))
    found, _ = prepare("imagenet_2012", directory=tmp_path, source=unpacked, name="again")
    assert found.split_hash == wanted.split_hash


def test_imagenet_2012_cut_short_or_incomplete_is_named(tmp_path):
    source = archives.write_imagenet_2012(tmp_path / "imagenet")
    train = source / "ILSVRC2012_img_train.tar"
    whole = train.read_bytes()
    train.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"ILSVRC2012_img_train\.tar is damaged or cut short"):
        prepare("imagenet_2012", directory=tmp_path, source=source)
    archives.write_tar(train, archives.files(2, "{}.JPEG"))
    with pytest.raises(ValueError, match="no tar with an image"):
        prepare("imagenet_2012", directory=tmp_path, source=source)
    train.write_bytes(whole)
    (source / "ILSVRC2012_img_val.tar").unlink()
    with pytest.raises(FileNotFoundError, match="or, unpacked, val"):
        prepare("imagenet_2012", directory=tmp_path, source=source)
    assert prepared.prepared_names(tmp_path) == []


def test_shoes_are_called_by_their_categories(tmp_path):
    square = archives.write_zip(tmp_path / "ut-zap50k-images-square.zip", archives.zappos())
    summary, _ = prepare("ut_zappos50k", directory=tmp_path, source=square, test_images=2)
    assert summary.images == {"train": 4, "test": 2}
    found = names(tmp_path, "ut_zappos50k", "train") | names(tmp_path, "ut_zappos50k", "test")
    assert {"Shoes/Oxfords/Bostonian/100.1.jpg", "Boots/Ankle/Shoes/100.1.jpg"} < found and len(found) == 6
    folder = archives.write_folder(tmp_path / "folder", archives.zappos("ut-zap50k-images"))
    again, _ = prepare("ut_zappos50k", directory=tmp_path, source=folder, name="again", test_images=2)
    assert again.split_hash == summary.split_hash
    other = archives.write_folder(tmp_path / "other", archives.files(2, "{}.jpg"))
    with pytest.raises(ValueError, match="is it UT Zappos50K"):
        prepare("ut_zappos50k", directory=tmp_path, source=other, name="other")


def test_the_papers_test_churches_are_drawn_from_the_training_photos(tmp_path):
    source = archives.write_lsun(tmp_path / "lsun")
    summary, _ = prepare("lsun_church", directory=tmp_path, source=source, test_images=2)
    assert summary.images == {"train": 3, "test": 2} and summary.split == "random, seed 0"
    drawn = names(tmp_path, "lsun_church", "test") | names(tmp_path, "lsun_church", "train")
    assert drawn == {f"{n:040x}" for n in range(5)}


def test_tiny_imagenet_keeps_train_and_val_and_leaves_test(tmp_path):
    source = archives.write_zip(tmp_path / "tiny-imagenet-200.zip", archives.tiny_imagenet())
    summary, _ = prepare("tiny_imagenet", directory=tmp_path, source=source)
    assert summary.images == {"train": 4, "test": 3}
    assert names(tmp_path, "tiny_imagenet", "test") == {"val_4.JPEG", "val_5.JPEG", "val_6.JPEG"}


def test_folder_of_any_layout_under_a_name_of_ones_own(tmp_path):
    content = {**archives.files(5, "holidays/2019/{}.jpg"), "holidays/a.PNG": archives.encoded(9, "PNG")}
    junk = {"__MACOSX/holidays/._a.PNG": b"", "holidays/.hidden.jpg": b"", "holidays/notes.txt": b""}
    source = archives.write_zip(tmp_path / "photos.zip", content | junk)
    summary, _ = prepare("folder", directory=tmp_path, source=source, name="holidays", test_images=0.4)
    assert summary.images == {"train": 3, "test": 3}
    unpacked = archives.write_folder(tmp_path / "unpacked", content)
    same, _ = prepare("folder", directory=tmp_path, source=unpacked, name="again", test_images=0.4)
    assert same.split_hash == summary.split_hash
    assert summary.skipped == 0


def test_folder_with_train_and_val_keeps_them(tmp_path):
    content = archives.files(3, "images/train/{}.jpg") | archives.files(2, "images/val/{}.jpg", first=3)
    source = archives.write_zip(tmp_path / "photos.zip", content)
    summary, _ = prepare("folder", directory=tmp_path, source=source, name="own")
    assert summary.images == {"train": 3, "test": 2}
    assert names(tmp_path, "own", "test") == {"val/3.jpg", "val/4.jpg"}
    mixed, _ = prepare("folder", directory=tmp_path, source=source, name="mixed", test_images=1)
    assert mixed.images == {"train": 4, "test": 1}


@pytest.mark.parametrize(
    "dataset",
    ["lfw_deepfunneled", "imagenet_val", "imagenet_2012", "ut_zappos50k", "tiny_imagenet", "lsun_church"],
)
def test_missing_download_says_what_where_and_how(tmp_path, dataset):
    with pytest.raises(FileNotFoundError) as error:
        prepare(dataset, directory=tmp_path, source=None)
    assert SOURCES[dataset].published in str(error.value)
    assert f"colorize-data --dataset={dataset}" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "cifar"}, "choose one of lfw_deepfunneled"),
        ({"dataset": "folder"}, "needs one"),
        ({"dataset": "folder", "name": "../up"}, "letters"),
        ({"dataset": "folder", "name": "mine", "test_images": -1}, "test_images"),
        ({"dataset": "folder", "name": "mine", "test_images": 99}, "0..4"),
        ({"dataset": "tiny_imagenet", "test_images": 5}, "publisher's split"),
        ({"dataset": "imagenet_2012", "test_images": 5}, "publisher's split"),
    ],
)
def test_mistakes_are_named(tmp_path, arguments, message):
    source = archives.write_folder(tmp_path / "photos", archives.files(4, "{}.jpg"))
    with pytest.raises(ValueError, match=message):
        prepare(**{"directory": tmp_path / "data", "source": source, **arguments})
    assert prepared.prepared_names(tmp_path / "data") == []


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_broken_archives_are_named(tmp_path, content):
    (tmp_path / "photos.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"photos\.zip"):
        prepare("folder", directory=tmp_path, source=tmp_path / "photos.zip", name="mine")


def test_nothing_usable_and_twice_the_same_name_are_errors(tmp_path):
    useless = archives.write_folder(tmp_path / "useless", {"a.jpg": archives.gray(0)})
    with pytest.raises(ValueError, match="none of the 1 images"):
        prepare("folder", directory=tmp_path, source=useless, name="mine")
    twice = archives.write_folder(
        tmp_path / "twice", archives.files(1, "a/{}.jpg") | archives.files(1, "b/{}.jpg")
    )
    with pytest.raises(ValueError, match=r"two photos are called 0\.jpg"):
        prepare("lfw_deepfunneled", directory=tmp_path, source=twice, test_images=1)


def test_downloads_cut_short_are_named(tmp_path):
    tgz = archives.write_tar(tmp_path / "lfw.tgz", archives.lfw())
    tgz.write_bytes(tgz.read_bytes()[:20_000])
    with pytest.raises(ValueError, match=r"lfw\.tgz is damaged or cut short"):
        prepare("lfw_deepfunneled", directory=tmp_path, source=tgz)
    database = archives.write_lsun(tmp_path / "lsun") / "church_outdoor_val_lmdb" / "data.mdb"
    database.write_bytes(database.read_bytes()[:8192])
    with pytest.raises(ValueError, match=r"data\.mdb is cut short"):
        prepare("lsun_church", directory=tmp_path, source=tmp_path / "lsun")


def test_damaged_member_of_a_zip_is_skipped(tmp_path):
    content = archives.files(4, "{}.jpg")
    source = archives.write_zip(tmp_path / "photos.zip", content)
    data = bytearray(source.read_bytes())
    data[data.find(content["2.jpg"]) + 500] ^= 0xFF
    source.write_bytes(data)
    summary, _ = prepare("folder", directory=tmp_path, source=source, name="mine")
    assert sum(summary.images.values()) == 3
    assert "BadZipFile" in prepared.skipped(tmp_path, "mine")[0]["reason"]
