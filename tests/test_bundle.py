"""Released models: what is saved comes back, and nothing else is accepted."""

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from colorize_jax import bundle, methods

pytestmark = pytest.mark.quick


@pytest.fixture
def variables() -> dict:
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    return {
        "params": {
            "top": {"Conv_0": {"kernel": draw(3, 3, 4, 2), "bias": draw(2)}},
            "mdn": {"kernel": draw(5, 6)},
        },
        "batch_stats": {"top": {"var": np.array([1e-9, 1e7], np.float32)}},
    }


@pytest.fixture
def saved(tmp_path, variables):
    config = methods.defaults("scc")
    config.data.mixture = (("lfw", "train", 1.0),)
    bundle.save_bundle(tmp_path / "model", config, variables, {"data": "lfw"}, {"eob_mae": 0.5})
    return tmp_path / "model"


def _expected(variables: dict) -> dict:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, np.float32), variables)


def test_round_trip(saved, variables):
    loaded = bundle.load_bundle(saved, _expected(variables))
    assert loaded.config.data.mixture == (("lfw", "train", 1.0),)
    assert loaded.provenance == {"data": "lfw"} and loaded.scores == {"eob_mae": 0.5}
    assert jax.tree.structure(loaded.variables) == jax.tree.structure(variables)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2**-9, atol=1e-7), loaded.variables, variables
    )
    assert {x.dtype for x in jax.tree.leaves(loaded.variables)} == {np.dtype(np.float32)}


def test_a_model_may_have_no_statistics(tmp_path, variables):
    bundle.save_bundle(
        tmp_path, methods.defaults("scc"), {"params": variables["params"], "batch_stats": {}}, {}
    )
    assert bundle.load_bundle(tmp_path).variables["batch_stats"] == {}


def test_matrices_take_two_bytes_and_vectors_keep_their_range(saved):
    with np.load(saved / "weights.npz") as arrays:
        assert arrays["params/mdn/kernel"].dtype == np.float16
        np.testing.assert_array_equal(arrays["batch_stats/top/var"], np.array([1e-9, 1e7], np.float32))


def test_saving_is_reproducible(saved, variables):
    before = (saved / "weights.npz").read_bytes()
    bundle.save_bundle(saved, ConfigDict({"method": "scc"}), variables, {})
    assert (saved / "weights.npz").read_bytes() == before
    assert sorted(p.name for p in saved.iterdir()) == sorted(bundle.FILES)


def test_every_difference_is_listed(saved, variables):
    wanted = _expected(variables)
    wanted["params"]["extra"] = {"kernel": jax.ShapeDtypeStruct((7,), np.float32)}
    wanted["params"]["mdn"]["kernel"] = jax.ShapeDtypeStruct((6, 5), np.float32)
    del wanted["batch_stats"]
    with pytest.raises(ValueError) as caught:
        bundle.load_bundle(saved, wanted)
    message = str(caught.value)
    assert "1 missing: params/extra/kernel (7,)" in message
    assert "1 extra: batch_stats/top/var (2,)" in message
    assert "1 misshapen: params/mdn/kernel (5, 6), not (6, 5)" in message
    assert "\n" not in message


@pytest.mark.parametrize("value", [1e6, np.nan])
def test_values_beyond_float16_are_not_saved(tmp_path, variables, value):
    variables["params"]["mdn"]["kernel"][0, 0] = value
    with pytest.raises(ValueError, match="params/mdn/kernel"):
        bundle.save_bundle(tmp_path, ConfigDict(), variables, {})


@pytest.mark.parametrize("name", bundle.FILES[:3])
def test_a_missing_file_is_told(saved, name):
    (saved / name).unlink()
    with pytest.raises(ValueError, match=name):
        bundle.load_bundle(saved)


@pytest.mark.parametrize("name", bundle.FILES)
@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_damaged_file_is_one_line(saved, name, kept):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(kept * len(content))])
    _assert_damaged(saved, name)


def test_a_flipped_byte_is_noticed(saved):
    content = bytearray((saved / "weights.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (saved / "weights.npz").write_bytes(content)
    _assert_damaged(saved, "weights.npz")


def _assert_damaged(folder, name):
    with pytest.raises(ValueError, match=f"{name}: damaged") as caught:
        bundle.load_bundle(folder)
    assert "\n" not in str(caught.value)


def test_an_unknown_model_is_told(tmp_path):
    with pytest.raises(ValueError, match="allowed are"):
        bundle.load_bundle(tmp_path / "nowhere")


def test_bundled_names_win(saved, monkeypatch):
    monkeypatch.setattr(bundle, "WEIGHTS", saved.parent)
    assert bundle.available() == ["model"]
    assert bundle.find("model") == saved
