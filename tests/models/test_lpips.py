"""LPIPS against the same networks written in PyTorch, and against hand-made heads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.evaluation import metrics
from colorize_jax.models import external, lpips

needs_weights = pytest.mark.skipif(
    not external.available("alexnet"), reason="the extra [lpips] is not installed"
)


def _images(count: int = 3, side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(count, side, side, 3)).astype(np.float32)


def _in_torch(network: str, images: np.ndarray) -> np.ndarray:
    """LPIPS of the first image and each of the others, as the authors' code computes it with torchvision's layers."""
    torch = pytest.importorskip("torch")
    functional, weights = torch.nn.functional, lpips.load(network)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) * 2 - 1
    x = (x - torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)) / torch.tensor(
        [0.458, 0.448, 0.450]
    ).view(1, 3, 1, 1)
    # torchvision's `features`: (stride, padding) of a convolution with its ReLU, or 'M' for a pooling.
    plans = {
        "alex": [(4, 2), "M", (1, 2), "M", (1, 1), (1, 1), (1, 1)],
        "vgg": [
            *[(1, 1)] * 2,
            "M",
            *[(1, 1)] * 2,
            "M",
            *[(1, 1)] * 3,
            "M",
            *[(1, 1)] * 3,
            "M",
            *[(1, 1)] * 3,
        ],
    }
    taken = {"alex": {0, 1, 2, 3, 4}, "vgg": {1, 3, 6, 9, 12}}[network]
    layers, number, total, heads = iter(weights["convolutions"]), 0, 0.0, iter(weights["heads"])
    for step in plans[network]:
        if step == "M":
            x = functional.max_pool2d(x, 3 if network == "alex" else 2, 2)
            continue
        layer = next(layers)
        kernel = torch.from_numpy(np.array(layer["kernel"])).permute(3, 2, 0, 1)
        x = torch.relu(functional.conv2d(x, kernel, torch.from_numpy(np.array(layer["bias"])), *step))
        if number in taken:
            unit = functional.normalize(x, dim=1)
            squares = (unit[:1] - unit[1:]) ** 2
            total = total + functional.conv2d(
                squares, torch.from_numpy(np.array(next(heads))).view(1, -1, 1, 1)
            ).mean((1, 2, 3))
        number += 1
    return total.numpy()


# Of the first of `_images()` and each of the two others; what `_in_torch` gives with torch 2, to four digits.
GOLDEN = {"alex": [0.12388697, 0.09580015], "vgg": [0.34488422, 0.3371568]}


@needs_weights
@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_the_authors_program_gives_the_golden_distances(network):
    np.testing.assert_allclose(_in_torch(network, _images()), GOLDEN[network], rtol=1e-4)


@needs_weights
@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_distances_are_those_of_the_authors_program(network):
    maps = jax.jit(lpips.embed)(lpips.load(network), _images())
    found = lpips.distances([m[:1] for m in maps], [m[1:] for m in maps])
    np.testing.assert_allclose(found, GOLDEN[network], rtol=1e-4)
    together = metrics.lpips([np.asarray(m)[None] for m in maps])
    np.testing.assert_allclose(together["lpips_best"], found.min(), rtol=1e-5)
    expected = lpips.distances([m[1:2] for m in maps], [m[2:] for m in maps])
    np.testing.assert_allclose(together["lpips_pairs"], expected, rtol=1e-5)


def test_one_version_has_no_pairs():
    maps = [np.random.default_rng(1).normal(size=(2, 2, 4, 4, 3))]
    scores = metrics.lpips(maps)
    assert np.isnan(scores["lpips_pairs"]).all()
    by_hand = ((maps[0][:, 0] - maps[0][:, 1]) ** 2).sum(-1).mean((1, 2))
    np.testing.assert_allclose(scores["lpips_best"], by_hand)


def test_pairs_are_averaged_over_all_of_three_versions():
    """The truth at 0 and versions at 1, 2 and 4: pairs are 1, 2 and 3 apart, squared and averaged."""
    maps = [np.array([0.0, 1.0, 2.0, 4.0]).reshape(1, 4, 1, 1, 1)]
    scores = metrics.lpips(maps)
    np.testing.assert_allclose(scores["lpips_pairs"], [(1 + 4 + 9) / 3])
    np.testing.assert_allclose(scores["lpips_best"], [1])


def test_features_of_any_length_count_alike():
    unit = lpips._unit(jnp.array([[[[3.0, 4.0], [30.0, 40.0]]]]))
    np.testing.assert_allclose(unit, [[[[0.6, 0.8], [0.6, 0.8]]]], rtol=1e-6)


def test_mistakes_are_named(monkeypatch):
    with pytest.raises(ValueError, match="'squeeze'; allowed are alex, vgg"):
        lpips.load("squeeze")
    monkeypatch.setattr(external, "available", lambda name: False)
    with pytest.raises(ValueError, match=r"colorize_jax\[lpips\]"):
        lpips.load("alex")
