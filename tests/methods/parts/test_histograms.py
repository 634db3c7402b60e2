"""A classifier's histograms as colours, and photos coloured by a method that has nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import color, methods
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.methods.base import Distribution, Images, Method
from colorize_jax.methods.parts import histograms

BINS = jnp.array([[0.4, 0.0], [-0.2, 0.0], [0.0, 0.3]], jnp.float32)
SHARES = jnp.array([0.5, 0.25, 0.25], jnp.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("likeliest", [0.4, 0.0]),
        ("expected", [0.15, 0.075]),
        # Shares to the power 1 / 0.38: 0.5 is to 0.25 as 2 ** 2.6316 = 6.197 to 1.
        ("annealed", [(6.197 * 0.4 - 0.2) / 8.197, 0.3 / 8.197]),
    ],
)
def test_a_histogram_becomes_one_color(rule, expected):
    found = histograms.color_of(jnp.broadcast_to(SHARES, (1, 2, 2, 3)), BINS, rule)
    np.testing.assert_allclose(found, np.broadcast_to(expected, (1, 2, 2, 2)), atol=1e-4)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="allowed are annealed, expected, likeliest"):
        histograms.color_of(jnp.ones((1, 2, 2, 3)), BINS, "modes")


def method(**capabilities):
    return Method((), dict, **capabilities)


def test_a_classifier_gives_a_photo_one_version():
    def certain(variables, batch):
        return jnp.broadcast_to(jax.nn.one_hot(2, 3), (len(batch["lightness"]), 8, 8, 3))

    classifier = Colorizer(methods.defaults("scc"), method(distribution=Distribution(certain, BINS)), {})
    gray = np.full((20, 30), 128, np.uint8)
    versions = classifier.colorize(gray)
    assert len(versions.rgb) == 1
    np.testing.assert_allclose(versions.field, np.broadcast_to([0.0, 0.3], (1, 8, 8, 2)), atol=1e-6)
    with pytest.raises(ValueError, match=r"samples is 2, but rule 'annealed' gives at most 1; take fewer"):
        classifier.colorize(gray, samples=2)
    with pytest.raises(ValueError, match="learns no similarity"):
        classifier.edit(gray, [{"kind": "point", "at": [3, 3], "color": "#b07070"}])


def test_what_colors_no_photo_is_told():
    generator = method(images=Images(lambda variables, rng, *, count: jnp.zeros((count, 8, 8, 3))))
    with pytest.raises(ValueError, match="colours no gray image: of the capabilities it has images"):
        Colorizer(methods.defaults("scc"), generator, {})


def test_a_color_is_encoded_in_its_nearest_bins_by_their_distances():
    bins = color.ab_to_network(jnp.array([[0.0, 0], [90, 90], [10, 0], [0, 20], [30, 0], [0, -40]]))
    nearest, shares = histograms.soft_encoded(color.ab_to_network(jnp.array([[4.0, 0.0]])), bins)
    # 4, 6, √416, 26 and √1616 units away; the bin at (90, 90) takes no part.
    np.testing.assert_array_equal(nearest[0], [0, 2, 3, 4, 5])
    expected = np.exp(-np.array([16, 36, 416, 676, 1616]) / 50)
    np.testing.assert_allclose(shares[0], expected / expected.sum(), rtol=1e-4)
    assert histograms.soft_encoded(jnp.zeros((2, 3, 2)), bins[:3])[1].shape == (2, 3, 3)
