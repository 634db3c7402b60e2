"""The programs that docs/gcrf.md prints run, and what it says of them is so."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "gcrf.md"
TRAINING, PENALTY, GAUSSIAN = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def trained():
    """The names of the page's first program after it has run."""
    names = {"__name__": "page"}
    exec(compile(TRAINING, "docs/gcrf.md", "exec"), names)
    return names


def test_the_loss_of_the_printed_network_falls_as_the_page_says(trained):
    first, last = re.search(r"falls from ([\d.]+) to ([\d.]+) ", PAGE.read_text()).groups()
    gray, truth, network = trained["gray"], trained["truth"], trained["Net"]()
    at_first = trained["loss"](network.init(jax.random.key(1), gray), gray, truth)
    np.testing.assert_allclose(at_first, float(first), rtol=0.01)
    np.testing.assert_allclose(trained["value"], float(last), rtol=0.2)


def test_a_gradient_of_a_gradient_goes_through_the_printed_penalty(trained):
    exec(compile(PENALTY, "docs/gcrf.md", "exec"), trained)
    gradients = jax.tree.leaves(trained["gradients"])
    assert all(np.isfinite(each).all() for each in gradients) and any(
        np.abs(each).max() > 0 for each in gradients
    )


def test_what_a_gaussian_gives_besides_its_mean_runs_as_printed(trained):
    embeddings, targets = trained["Net"]().apply(trained["params"], trained["gray"])
    one = {"gcrf": trained["gcrf"], "embeddings": embeddings[0], "targets": targets[0]}
    one |= {"weights": jnp.ones(64), "truth": trained["truth"][0]}
    exec(compile(GAUSSIAN, "docs/gcrf.md", "exec"), one)
    assert one["variance"].shape == (64,) and len(one["where"].pixels) == 3
