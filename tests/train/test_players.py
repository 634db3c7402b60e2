"""Two players in the loop: what a stage hands over, and what the next one begins with."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import toy
from toys import gan, gan_config

from colorize_jax.train import checkpoints, loop


def test_the_average_is_evaluated_handed_over_and_trained_on(tmp_path):
    """A critic and a generator in two stages of one step each; the second one begins where the average is."""
    config = gan_config.get_config().unlock()
    config.data.epoch_images = config.stages.gan.batch_size
    config.stages.gan.epochs = 1.0
    config.stages.again = config.stages.gan
    method = gan.build(config)
    (first,) = method.stages
    begun = []

    def init(rng, batch, variables):
        state = first.init(rng, batch, variables)
        jax.debug.callback(begun.append, state)
        return state

    stages = (first, first._replace(name="again", init=init, calibration_batches=0))
    loop.train(config, method._replace(stages=stages), toy.data(), tmp_path, out=io.StringIO())
    handed, (state,) = checkpoints.load_stage(tmp_path, "gan"), begun
    same = jax.tree.map(np.array_equal, (state.params, state.averaged["params"]), 2 * (handed["params"],))
    assert all(jax.tree.leaves(same))
    batch = jax.tree.map(jnp.asarray, toy.data().training(0, 4).batch_at(0))
    drawn = first.init(jax.random.key(0), batch, None)
    assert set(drawn.opt_state) == {"critic", "generator", "extra"}
    assert set(drawn.opt_state["extra"]["averages"]) == {"generator"}
