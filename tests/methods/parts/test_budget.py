"""Equal budgets over methods of different stages, and methods from outside the package."""

import pytest
from ml_collections import ConfigDict

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import resolve
from colorize_jax.methods.parts.budget import spend, stage_steps


def budgeted(name, **budget):
    config = load(name)
    config.budget.update(budget)
    return resolve(config, images=1000)


def steps(config):
    stages = methods.build(config).stages
    return {s.name: stage_steps(s.epochs, config.data.epoch_images, s.batch_size) for s in stages}


@pytest.mark.parametrize(
    "name", ["scc", "vae_mdn", "vae_mdn_skip", "cvae", "cgan", "mln_gan", "bicycle_gan", "pic"]
)
@pytest.mark.parametrize("total", [100, 10000])
def test_every_method_spends_the_same(name, total):
    spent = steps(budgeted(name, steps=total))
    assert total - len(spent) < sum(spent.values()) <= total


def test_stages_keep_their_proportions():
    before, after = steps(budgeted("vae_mdn")), steps(budgeted("vae_mdn", steps=217))
    for name, count in before.items():
        assert abs(after[name] - 217 * count / sum(before.values())) <= 1


def test_the_tighter_of_steps_and_images_counts():
    tight = steps(budgeted("cvae", steps=100, images=640))
    assert tight == {"vae": 20}  # 640 images in batches of 32
    assert steps(budgeted("cvae", steps=10, images=640)) == {"vae": 10}


def test_the_budget_that_the_epochs_are_anyway_changes_nothing():
    plain = steps(budgeted("scc"))
    assert steps(budgeted("scc", steps=sum(plain.values()))) == plain


def test_the_schedule_of_the_mask_moves_with_its_stage():
    plain = budgeted("scc")
    config = budgeted("scc", steps=sum(steps(plain).values()) // 2)
    spent = spend(config, methods.build(plain).stages)
    first = [epoch for epoch, _ in spent.stages.structure.schedule]
    assert first == pytest.approx([0, 1, 2, 3, 4], rel=1e-2)


def test_a_budget_below_a_step_a_stage_is_refused():
    with pytest.raises(ValueError, match="leaves stage 'features' less than one step"):
        list(methods.build(budgeted("vae_mdn", steps=2)).stages)


def test_a_model_of_a_budget_is_loaded_whatever_fields_training_has_gained_since(unchecked):
    config = ConfigDict(budgeted("cvae", steps=100).to_dict())
    del config["optim"]
    method = methods.build(config)
    assert method.abstract_variables()["params"]
    with pytest.raises((AttributeError, KeyError), match="optim"):
        list(method.stages)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package.method", "there is no module 'no_such_package'"),
        ("colorize_jax.shapes", "has no function build"),
        ("stages", "the methods present are"),
    ],
)
def test_a_method_that_is_not_there_is_named(name, message):
    config = load("base")
    config.method = name
    with pytest.raises(ValueError, match=message):
        methods.build(config)
