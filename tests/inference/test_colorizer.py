"""A photo to its versions: lightness kept, colours those of the field, opacity kept, deterministic."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import random_model
from colorizers import colorizer_of
from ml_collections import ConfigDict
from PIL import Image

from colorize_jax import bundle, color, methods
from colorize_jax.inference.colorizer import Colorizer, network_input
from colorize_jax.methods.base import Samples
from colorize_jax.photos.photo import Photo, photo_from_array, read_photo

ANGLES = np.array([0.3, 1.5, 2.6, 3.9, 5.2])


def _plain(variables, batch, rng, *, samples, rule):
    """Version n has the constant colour n, of chroma 20, halved where the photo is dark."""
    angles = jnp.asarray(ANGLES[:samples])
    colors = variables["chroma"] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], -1)
    side = batch["lightness"].shape[1]
    shade = jnp.where(batch["lightness"][0, :: side // 32, :: side // 32] < 0, 0.5, 1.0)
    field = shade[None] * colors[:, None, None, :]
    return Samples(field[None], field[None], jnp.full((1, samples), 0.2))


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    config = ConfigDict({"data": {"image_size": 64, "lightness_large": 0}})
    return colorizer_of(config, _plain, {"chroma": np.float32(20 / 128)})


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    y, x = np.mgrid[0:150, 0:211]
    waves = 128 + 80 * np.stack([np.sin(x / 9), np.sin(y / 17), np.sin((x + y) / 23)], -1)
    return waves.round().astype(np.uint8)


def _lab(picture: np.ndarray) -> np.ndarray:
    return color.srgb_to_lab(picture[..., :3] / 255)


def test_versions_have_the_photos_size_and_lightness_and_the_fields_color(colorizer, rgb):
    versions = colorizer.colorize(rgb, samples=5)
    assert (
        len(versions.rgb) == 5 and versions.field.shape == (5, 32, 32, 2) and versions.weights.shape == (5,)
    )
    lightness = photo_from_array(rgb).lightness
    for picture, angle in zip(versions.rgb, ANGLES, strict=True):
        assert picture.shape == rgb.shape and picture.dtype == np.uint8
        lab = _lab(picture)
        error = np.abs(lab[..., 0] - lightness)
        assert error.mean() < 0.3 and error.max() < 1
        a, b = lab[..., 1:][lightness > 60].mean(axis=0)
        np.testing.assert_allclose([a, b], [20 * np.cos(angle), 20 * np.sin(angle)], atol=1.5)


def test_lightness_is_kept_where_the_colors_leave_the_gamut(rgb):
    config = ConfigDict({"data": {"image_size": 64, "lightness_large": 0}})
    versions = colorizer_of(config, _plain, {"chroma": np.float32(1.0)}).colorize(rgb)
    lightness = photo_from_array(rgb).lightness
    for picture in versions.rgb:
        error = np.abs(_lab(picture)[..., 0] - lightness)
        assert error.mean() < 0.3 and error.max() < 1.5


@pytest.mark.parametrize("shape", [(2, 2), (3, 200), (33, 31), (64, 64), (257, 64)])
def test_any_size(colorizer, shape):
    gray = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    versions = colorizer.colorize(gray, samples=2)
    assert [picture.shape for picture in versions.rgb] == [(*shape, 3)] * 2


def test_photos_of_16_bits_have_versions_of_16_bits(colorizer, tmp_path):
    """600 levels between L* 60 and 75 are as many in the file, and the lightness is the photo's."""
    sky = np.tile(np.linspace(37000, 47000, 600).round().astype(np.uint16), (40, 1))
    versions = colorizer.colorize(sky, samples=2)
    assert {picture.dtype for picture in versions.rgb} == {np.dtype(np.uint16)}
    for suffix in ("png", "tif"):
        versions.save(tmp_path / f"sky.{suffix}", 2)
        saved = read_photo(tmp_path / f"sky.{suffix}")
        assert saved.bits == 16 and len(np.unique(saved.lightness[20])) >= 598
        np.testing.assert_allclose(saved.lightness, photo_from_array(sky).lightness, atol=0.01)
        assert saved.about.xmp.count(b'colorize:Version="2"') == 1
    with pytest.raises(ValueError, match="versions 1 to 2"):
        versions.save(tmp_path / "none.png", 3)


def test_opacity_of_16_bits_is_kept(colorizer):
    values = np.random.default_rng(0).integers(0, 65536, (9, 8, 2)).astype(np.uint16)
    [picture] = colorizer.colorize(values, samples=1).rgb
    np.testing.assert_allclose(picture[..., 3] / 65535, values[..., 1] / 65535, atol=1 / 255)


def test_opacity_is_kept_and_transparent_parts_look_white(colorizer, rgb):
    alpha = np.zeros(rgb.shape[:2], np.uint8)
    alpha[:, 100:] = 255
    versions = colorizer.colorize(np.concatenate([rgb, alpha[..., None]], -1), samples=1)
    assert versions.rgb[0].shape == (*alpha.shape, 4)
    np.testing.assert_array_equal(versions.rgb[0][..., 3], alpha)
    opaque = np.zeros((64, 64), np.float32)
    seen = network_input(Photo(opaque, np.zeros((64, 64), np.uint8)), 64, large=224)
    assert seen["lightness"].shape == (1, 64, 64, 1) and seen["lightness_large"].shape == (1, 224, 224, 1)
    np.testing.assert_allclose(seen["lightness"], 1)


def bordered(rgb: np.ndarray, tone: int) -> np.ndarray:
    return np.pad(rgb, ((20, 20), (16, 16), (0, 0)), constant_values=tone)


def test_a_border_takes_no_color_and_tints_nothing(colorizer, rgb):
    on_white, on_black = (colorizer.colorize(bordered(rgb, tone), samples=2) for tone in (250, 4))
    np.testing.assert_array_equal(on_white.field, on_black.field)
    for one, other in zip(on_white.rgb, on_black.rgb, strict=True):
        np.testing.assert_array_equal(one[20:-20, 16:-16], other[20:-20, 16:-16])
        assert (
            np.ptp(one[:20].astype(int), axis=-1).max()
            == np.ptp(one[:, -16:].astype(int), axis=-1).max()
            == 0
        )
        assert np.ptp(one[20:-20, 16:-16].astype(int), axis=-1).mean() > 10


def test_a_border_is_colored_where_it_is_asked_for(colorizer, rgb):
    photo = photo_from_array(bordered(rgb, 250))
    assert photo.inside is not None
    [picture] = colorizer.colorize(photo._replace(inside=None), samples=1).rgb
    assert np.ptp(picture[:20].astype(int), axis=-1).mean() > 3


def test_a_path_a_pil_image_and_an_array_are_the_same(colorizer, rgb, tmp_path):
    image = Image.fromarray(rgb)
    image.save(tmp_path / "a.png")
    first, *others = (colorizer.colorize(x, samples=2).rgb for x in (rgb, image, tmp_path / "a.png"))
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, "samples is 0"),
        ({"rule": "best"}, "modes, random"),
        ({"image": "none.png"}, "none.png"),
    ],
)
def test_mistakes_are_told(colorizer, rgb, arguments, message):
    with pytest.raises(ValueError, match=message):
        colorizer.colorize(**{"image": rgb, **arguments})


def test_broken_colors_are_not_shown(rgb):
    config = ConfigDict({"data": {"image_size": 64, "lightness_large": 0}})
    with pytest.raises(ValueError, match="not finite"):
        colorizer_of(config, _plain, {"chroma": np.float32(np.nan)}).colorize(rgb)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model.save(tmp_path_factory.mktemp("model") / "noise")


@pytest.fixture(scope="module")
def noise(model) -> Colorizer:
    return Colorizer.load(model)


def test_the_papers_method_colors_a_photo(noise, rgb):
    versions = noise.colorize(rgb, samples=3)
    assert len({picture.tobytes() for picture in versions.rgb}) == 3
    assert (np.diff(versions.weights) <= 0).all() and np.isfinite(versions.field).all()
    assert not np.allclose(versions.field, versions.unary)


def test_rules_and_seeds(noise, rgb):
    run = lambda **options: noise.colorize(rgb, samples=2, **options).field  # noqa: E731
    np.testing.assert_array_equal(run(seed=1, rule="random"), run(seed=1, rule="random"))
    assert not np.array_equal(run(seed=1, rule="random"), run(seed=2, rule="random"))
    np.testing.assert_array_equal(run(seed=1), run(seed=2))


def test_more_versions_than_modes_is_told(noise, rgb):
    with pytest.raises(ValueError, match="samples is 9, but rule 'modes' gives at most 8; use rule 'random'"):
        noise.colorize(rgb, samples=9)


def test_a_model_that_does_not_fit_its_config_is_refused(model, tmp_path):
    loaded = bundle.load_bundle(model)
    del loaded.variables["params"]["top"]
    bundle.save_bundle(tmp_path, loaded.config, loaded.variables, {})
    with pytest.raises(ValueError, match="missing: params/top"):
        Colorizer.load(tmp_path)


@pytest.mark.parametrize("name", bundle.available())
def test_bundled_models_load_strictly_and_stay_small(name):
    config = bundle.load_config(name)
    bundle.load_bundle(name, methods.build(config).abstract_variables())
    assert (bundle.WEIGHTS / name / "weights.npz").stat().st_size < 15e6


TRAINING_ONLY = (
    "tensorflow",
    "tensorflow_datasets",
    "grain",
    "optax",
    "orbax",
    "matplotlib",
    "skimage",
    "tqdm",
)


def test_coloring_imports_nothing_of_training(model):
    """In a fresh interpreter, where importing any of these would raise: they may be absent in a base install."""
    program = f"""
import sys
for name in {TRAINING_ONLY!r}:
    sys.modules[name] = None
import numpy as np
from colorize_jax.inference.colorizer import Colorizer
import colorize_jax.apps.colorize
versions = Colorizer.load({str(model)!r}).colorize(np.full((40, 50), 90, np.uint8), samples=1)
assert versions.rgb[0].shape == (40, 50, 3)
assert not [name for name in {TRAINING_ONLY!r} if sys.modules.get(name)]
"""
    subprocess.run([sys.executable, "-c", program], check=True)
