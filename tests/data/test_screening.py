"""What is left out of a data set beside unreadable and gray photos: small ones, copies of known ones, repetitions."""

import io

import mini_archives as archives
import numpy as np
import pytest
from PIL import Image, ImageOps

from colorize_jax.data import likeness, prepared, screening
from colorize_jax.data.folder import matches
from colorize_jax.data.prepare import SOURCES, prepare
from colorize_jax.data.recipes import RECIPES
from colorize_jax.train.provenance import LICENSES

pytestmark = pytest.mark.quick


def photo(seed, size=(240, 180)):
    """Patches of random colors that run into each other: every cell of a hash has something to tell."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def saved(image, quality=92):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def reopened(image, quality):
    return Image.open(io.BytesIO(saved(image, quality))).convert("RGB")


ALTERED = {
    "smaller": lambda image: reopened(image.resize((64, 48)), 60),
    "squashed": lambda image: image.resize((96, 96)),
    "mirrored": ImageOps.mirror,
    "square": lambda image: ImageOps.fit(image, (64, 64)),
    "middle": lambda image: ImageOps.fit(image, (224, 224), bleed=1 / 16),
    "mirrored middle": lambda image: ImageOps.mirror(ImageOps.fit(image, (64, 64), bleed=1 / 16)),
}


@pytest.mark.parametrize("change", ALTERED)
def test_copies_are_found_however_they_were_altered(change):
    known = np.array([likeness.hashes(photo(seed)) for seed in range(12)])
    altered = np.array([likeness.hashes(ALTERED[change](photo(seed)))[0] for seed in range(12)])
    assert likeness.copies(altered, known).tolist() == [*range(12)]


def test_other_photos_are_no_copies():
    known = np.array([likeness.hashes(photo(seed)) for seed in range(40)])
    others = np.array([likeness.hashes(photo(seed))[0] for seed in range(100, 140)])
    assert (likeness.copies(others, known) == -1).all()
    assert (likeness.copies(others, known[:0]) == -1).all()


def test_a_twin_is_told_with_the_first_of_its_kind():
    images = [
        photo(0),
        photo(1),
        ImageOps.mirror(photo(0)),
        reopened(photo(1).resize((80, 60)), 70),
        photo(0),
    ]
    hashes = np.array([likeness.hashes(image)[:, 0] for image in images])
    assert likeness.twins(hashes).tolist() == [-1, -1, 0, 1, 0]
    bits = np.array([[0, 0], [0b111, 0b111], [0b1111 << 8, 0b1111 << 8]], np.uint64)
    assert likeness.twins(bits).tolist() == [-1, 0, -1]


def test_toned_photos_are_told_from_photos_of_many_colors():
    lightness = np.asarray(photo(0).convert("L"), np.float64)[..., None] / 255
    shadows, lights = np.array([40, 10, 0]), np.array([255, 240, 200])
    sepia = (shadows + (lights - shadows) * lightness**1.3).astype(np.uint8)
    screen = screening.Screen(toned_tolerance=8)
    assert screening.look(saved(Image.fromarray(sepia)), screen).reason == "toned"
    assert screening.look(saved(Image.fromarray(sepia))).reason is None
    assert screening.look(saved(photo(0)), screen).reason is None


def reasons(directory, name):
    return {entry["name"]: entry["reason"] for entry in prepared.skipped(directory, name)}


def test_all_that_is_left_out_is_listed_with_its_reason(tmp_path):
    tests = {f"{seed}.jpg": saved(photo(seed)) for seed in range(4)}
    prepare("folder", directory=tmp_path, source=archives.write_folder(tmp_path / "own", tests), name="own",
            test_images=0.5)  # fmt: skip
    held = archives.write_zip(tmp_path / "held.zip", {"9.jpg": saved(photo(9))})
    clone = {
        "masks/20.jpg": saved(photo(20)),
        "photos/a/20.jpg": saved(photo(20)),
        "photos/a/21.jpg": saved(photo(21)),
        "photos/b/20_again.jpg": saved(ImageOps.mirror(photo(20)), 50),
        "photos/b/9.jpg": saved(ALTERED["middle"](photo(9))),
        "photos/b/small.jpg": saved(photo(30, (240, 99))),
        "photos/posters/1.jpg": saved(photo(31)),
        **{f"photos/c/{name}": content for name, content in tests.items()},
    }
    summary, _ = prepare(
        "folder", directory=tmp_path, source=archives.write_folder(tmp_path / "clone", clone), name="new",
        include=["photos/*"], exclude=["posters/*"], least_side=100, distinct=True, unlike=["own:test", str(held)],
    )  # fmt: skip
    told = reasons(tmp_path, "new")
    copied = {name for name, reason in told.items() if reason.startswith("copy: of own:test ")}
    assert len(copied) == 2 and all(name.startswith("c/") for name in copied)
    assert {name: reason for name, reason in told.items() if name not in copied} == {
        "b/20_again.jpg": "twin: of a/20.jpg",
        "b/9.jpg": "copy: of held.zip/9.jpg",
        "b/small.jpg": "small: 240x99 pixels",
        "posters/1.jpg": "excluded",
    }
    assert sum(summary.images.values()) == 4 and summary.skipped == 6
    assert summary.unlike == ["own:test", "held.zip"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unlike": ["nowhere.zip"]}, "unlike: 'nowhere.zip' is no archive"),
        ({"unlike": ["own:val"]}, "its splits are"),
        ({"include": ["*.png"]}, r"include: nothing in .* matches \*\.png"),
        ({"dataset": "clothing", "exclude": ["a/*"]}, "clothing has its own files"),
    ],
)
def test_mistakes_are_named(tmp_path, arguments, message):
    source = archives.write_folder(tmp_path / "photos", archives.files(3, "{}.jpg"))
    prepare("folder", directory=tmp_path, source=source, name="own")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        prepare(**{"dataset": "folder", "directory": tmp_path, "source": source, "name": "new", **arguments})


def test_a_recipe_takes_the_photos_of_a_clone_and_of_a_zip_of_it(tmp_path):
    things = {f"101_ObjectCategories/ant/{seed}.jpg": saved(photo(seed)) for seed in range(6)}
    others = {"101_ObjectCategories/Faces_easy/7.jpg": saved(photo(7)), "figures/8.jpg": saved(photo(8))}
    clone = archives.write_folder(tmp_path / "clone", things | others)
    zipped = archives.write_zip(
        tmp_path / "main.zip",
        {f"repository-main/{name}": content for name, content in (things | others).items()},
    )
    summary, _ = prepare("caltech101", directory=tmp_path, source=clone)
    again, _ = prepare("caltech101", directory=tmp_path, source=zipped, name="again")
    assert summary.images == {"train": 5, "test": 1} and summary.split_hash == again.split_hash
    assert reasons(tmp_path, "caltech101") == {"Faces_easy/7.jpg": "excluded"}
    assert RECIPES["caltech101"].url in LICENSES["caltech101"]


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_whole(name):
    recipe = RECIPES[name]
    assert SOURCES[name].builder is SOURCES["folder"].builder and recipe.url in SOURCES[name].published
    assert recipe.repository.count("/") == 1 and recipe.include and recipe.shows
    assert not any(matches(glob, recipe.exclude) for glob in recipe.include)
    assert LICENSES[name] == f"{recipe.url}: {recipe.terms}" and recipe.terms
    assert 0 < recipe.test_images < 1 and recipe.least_side >= 64
