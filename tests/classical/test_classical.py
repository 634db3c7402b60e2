"""Propagation without a learned model: against dense solutions, hand-made grids, and what every method owes."""

import sys

import numpy as np
import pytest

from colorize_jax import classical
from colorize_jax.classical import bilateral_solver, deepprop, fill, levin, welsh

SIZE = (12, 17)  # not square: a swapped axis shows
RED, BLUE = np.array([0.4, 0.2]), np.array([-0.1, -0.5])


def _two_regions() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Dark left of a slanted edge and bright right of it, with little noise; one reveal in each: RED, BLUE."""
    y, x = np.indices(SIZE)
    right = x > 7 + y / 6
    lightness = np.where(right, 75.0, 30.0) + np.random.default_rng(0).normal(size=SIZE) * 0.3
    targets, weights = np.zeros((*SIZE, 2)), np.zeros(SIZE, bool)
    for place, color in (((9, 2), RED), ((1, 14), BLUE)):
        targets[place], weights[place] = color, True
    return lightness, targets, weights, right


@pytest.mark.parametrize("name", ["levin", "bilateral_solver", "deepprop"])
def test_each_region_takes_the_color_of_its_reveal(name):
    lightness, targets, weights, right = _two_regions()
    options = {"sigma_xy": 2.0, "sigma_l": 8.0} if name == "bilateral_solver" else {}
    answer = classical.METHODS[name](lightness, targets, weights, **options)
    assert answer.shape == targets.shape and answer.dtype == np.float32
    np.testing.assert_allclose(answer[right].mean(axis=0), BLUE, atol=0.06)
    np.testing.assert_allclose(answer[~right].mean(axis=0), RED, atol=0.06)


@pytest.mark.parametrize("name", list(classical.METHODS))
def test_nothing_revealed_is_gray_and_one_color_goes_everywhere(name):
    lightness, targets, weights, _ = _two_regions()
    hidden = np.full_like(targets, np.nan)  # colours without a weight are never read
    assert not classical.METHODS[name](lightness, hidden, np.zeros(SIZE, bool)).any()
    one = np.where(weights[..., None], RED, hidden)
    expected = 0 * RED if name == "gray" else RED
    answer = classical.METHODS[name](lightness, one, weights)
    np.testing.assert_allclose(answer, np.broadcast_to(expected, answer.shape), atol=1e-5)


@pytest.mark.parametrize("name", list(classical.METHODS))
def test_bad_arguments_are_named(name):
    lightness, targets, weights, _ = _two_regions()
    method = classical.METHODS[name]
    with pytest.raises(ValueError, match=r"lightness runs .* CIE L\*"):
        method(lightness * 10, targets, weights)
    with pytest.raises(ValueError, match="weights run from -1"):
        method(lightness, targets, -weights.astype(float))
    with pytest.raises(ValueError, match="targets are not finite"):
        method(lightness, targets * np.nan, weights)


def test_constant_weighs_the_reveals():
    lightness, targets, weights, _ = _two_regions()
    confidence = weights.astype(float)
    confidence[9, 2] = 3
    answer = fill.constant(lightness, targets, confidence)
    np.testing.assert_allclose(answer[5, 5], 0.75 * RED + 0.25 * BLUE, atol=1e-6)


# Levin


def test_levin_weights_are_eq_2():
    luminance = np.random.default_rng(1).uniform(size=(4, 5))
    found = levin.neighbor_weights(luminance).toarray()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    window = luminance[0:2, 1:4]  # around (0, 2), at the border
    squared = np.square(window - luminance[0, 2])
    spread = max(0.6 * window.var(), np.sort(squared.ravel())[1] / -np.log(0.01))
    expected = np.exp(-squared / spread)
    expected[0, 1] = 0
    np.testing.assert_allclose(found[2].reshape(4, 5)[0:2, 1:4], expected / expected.sum())
    assert np.count_nonzero(found[2]) == 5


def test_levin_is_the_dense_solution_with_held_and_with_soft_colors():
    lightness, targets, weights, _ = _two_regions()
    mean = levin.neighbor_weights(lightness / 100).toarray()
    flat, shown = targets.reshape(-1, 2), weights.ravel()
    rows = np.where(shown[:, None], np.eye(shown.size), np.eye(shown.size) - mean)
    held = np.linalg.solve(rows, np.where(shown[:, None], flat, 0))
    answer = levin.levin(lightness, targets, weights)
    np.testing.assert_allclose(answer.reshape(-1, 2), held, atol=1e-6)
    assert np.array_equal(answer[weights], targets[weights].astype(np.float32))
    pull = np.diag(2.5 * shown)
    soft = np.linalg.solve(np.eye(shown.size) - mean + pull, pull @ flat)
    answer = levin.levin(lightness, targets, 2.5 * weights)
    np.testing.assert_allclose(answer.reshape(-1, 2), soft, atol=1e-6)
    # A large confidence approaches the held colour.
    np.testing.assert_allclose(levin.levin(lightness, targets, 1e9 * weights).reshape(-1, 2), held, atol=1e-5)


def test_levin_large_photos_iterate_to_the_same_answer(monkeypatch):
    lightness, targets, weights, _ = _two_regions()
    exact = levin.levin(lightness, targets, weights)
    monkeypatch.setattr(levin, "_DIRECT_PIXELS", 10)
    np.testing.assert_allclose(levin.levin(lightness, targets, weights), exact, atol=1e-4)


@pytest.mark.parametrize(("name", "module"), [("levin", levin), ("bilateral_solver", bilateral_solver)])
def test_too_large_a_photo_is_refused_with_its_size_and_the_fix(name, module, monkeypatch):
    lightness, targets, weights, _ = _two_regions()
    monkeypatch.setattr(module, "MAX_PIXELS", 100)
    with pytest.raises(ValueError, match=r"17×12 pixels, 204 .* at most 100; scale"):
        classical.METHODS[name](lightness, targets, weights)


# The bilateral solver


def test_bilateral_grid_is_bistochastic_and_joins_neighbors_only():
    lightness, *_ = _two_regions()
    grid = bilateral_solver.bilateral_grid(lightness, 3.0, 20.0)
    affinity = grid.scale[:, None] * grid.blur.toarray() * grid.scale
    np.testing.assert_allclose(affinity, affinity.T)
    np.testing.assert_allclose(affinity.sum(axis=1), grid.mass)
    # Algorithm 1 converges to as much mass as a vertex has pixels.
    np.testing.assert_allclose(grid.mass, np.bincount(grid.vertex), rtol=0.05)
    y, x = np.indices(SIZE)
    places = np.stack([np.round(y / 3), np.round(x / 3), np.round(lightness / 20)], axis=-1).reshape(-1, 3)
    vertices = np.array([places[grid.vertex == k].mean(axis=0) for k in range(grid.mass.size)])
    distance = np.abs(vertices[:, None] - vertices).sum(axis=-1)
    expected = np.where(distance == 0, 6, np.where(distance == 1, 1, 0))
    np.testing.assert_array_equal(grid.blur.toarray(), expected)


def test_bilateral_solver_minimizes_the_energy_of_eq_1():
    lightness, targets, _, _ = _two_regions()
    rng = np.random.default_rng(2)
    confidence = rng.uniform(size=SIZE) * (rng.uniform(size=SIZE) < 0.3)
    targets = rng.normal(size=targets.shape) * 0.2
    grid = bilateral_solver.bilateral_grid(lightness, 2.0, 10.0)
    slices = np.eye(grid.mass.size)[grid.vertex]
    # Ŵ between vertices; pixels of one vertex share a colour.
    affinity = grid.scale[:, None] * grid.blur.toarray() * grid.scale
    mean = np.average(targets.reshape(-1, 2), axis=0, weights=confidence.ravel())

    def energy(vertices):
        answer = slices @ vertices
        squared = np.square(vertices[:, None] - vertices).sum(axis=-1)
        off = np.square(answer - targets.reshape(-1, 2)).sum(axis=-1) @ confidence.ravel()
        return 0.7 / 2 * (affinity * squared).sum() + off + 0.01 * np.square(answer - mean).sum()

    options = {"sigma_xy": 2.0, "sigma_l": 10.0, "smoothness": 0.7, "pull": 0.01}
    answer = bilateral_solver.bilateral_solver(lightness, targets, confidence, **options).reshape(-1, 2)
    vertices = slices.T @ answer / slices.sum(axis=0)[:, None]
    np.testing.assert_allclose(slices @ vertices, answer, atol=1e-6)
    least = energy(vertices)
    for _ in range(20):
        step = rng.normal(size=vertices.shape) * 3e-3
        assert energy(vertices + step) > least - 1e-6
        # At a minimum the energy is even: a gradient left over would show against the curvature.
        assert abs(energy(vertices + step) - energy(vertices - step)) < 1e-3 * (
            energy(vertices + step) - least
        )


def test_bilateral_solver_refuses_parameters_that_are_not_positive():
    lightness, targets, weights, _ = _two_regions()
    with pytest.raises(ValueError, match="sigma_l is 0"):
        bilateral_solver.bilateral_solver(lightness, targets, weights, sigma_l=0.0)


# DeepProp


def test_deepprop_refuses_more_colors_than_classes_and_names_a_missing_optax(monkeypatch):
    lightness, _, _, _ = _two_regions()
    many = np.random.default_rng(0).normal(size=(20, 20, 2))
    with pytest.raises(ValueError, match=r"400 distinct colours .* 256"):
        deepprop.deepprop(np.full((20, 20), 50.0), many, np.ones((20, 20), bool))
    monkeypatch.setitem(sys.modules, "optax", None)
    targets = np.zeros((11, 13, 2))  # a size of its own: nothing compiled is reused
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        deepprop.deepprop(lightness[:11, :13], targets, np.ones((11, 13), bool))


# Welsh


def test_welsh_finds_the_colors_of_equal_luminance_and_texture():
    rng = np.random.default_rng(3)
    y, x = np.indices((40, 60))
    left, top = x < 30, y < 20
    texture = np.where((x + y) % 2, 8.0, -8.0)
    # Two luminances, each once flat and once textured: four colours, which neither statistic alone tells apart.
    reference = np.where(left, 35.0, 70.0) + np.where(top, texture, 0) + rng.normal(size=(40, 60)) * 0.2
    colors = np.stack([np.where(left, 0.3, -0.3), np.where(top, 0.2, -0.2)], axis=-1)
    turned = reference[::-1, ::-1]
    found = welsh.transfer(turned, reference, colors, samples=300)
    right = (found == colors[::-1, ::-1].astype(np.float32)).all(axis=-1)
    assert right.mean() > 0.85
    # The remapping undoes a change of contrast and brightness.
    darker = turned * 0.6 + 5
    assert (welsh.transfer(darker, reference, colors, samples=300) == found).all(axis=-1).mean() > 0.95
    with pytest.raises(ValueError, match="samples is 0"):
        welsh.transfer(turned, reference, colors, samples=0)


def test_welsh_samples_lie_one_in_each_cell():
    y, x = welsh.jittered((30, 60), 200, np.random.default_rng(0))
    assert len(y) == 200 and y.max() < 30 and x.max() < 60
    assert len({(int(a) // 3, int(b) // 3) for a, b in zip(y, x, strict=True)}) == 200
