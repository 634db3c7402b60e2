"""What is told of a model that is scored."""

import numpy as np

from colorize_jax.evaluation import candidates


def test_training_cost_counts_the_runs_before():
    stages = [{"stage": "a", "steps": 3, "images": 96, "seconds": 1.5}, {"stage": "b", "seconds": 0.5}]
    before = {"stages": [{"stage": "a", "steps": 10, "images": 320, "seconds": 4.0}], "began_with": None}
    assert candidates.training_cost({"stages": stages, "began_with": before}) == (13, 416, 6.0)


def test_weights_hash_sees_every_value():
    one = {"params": {"a": {"b": np.zeros(2, np.float32)}}, "batch_stats": {}}
    other = {"params": {"a": {"b": np.array([0, 1e-7], np.float32)}}, "batch_stats": {}}
    assert candidates.weights_hash(one) != candidates.weights_hash(other)
    assert len(candidates.weights_hash(one)) == 12
