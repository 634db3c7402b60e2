"""`bicycle_gan`: its losses by hand, what the encoder learns from, which photos each critic sees, versions by codes."""

import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import bicycle_gan, resolve
from colorize_jax.methods.parts.networks import example_batch, init_networks

SIDE, LATENT = 16, 3
TRAINED = ("generator", "encoder")
NAMES = (*TRAINED, "critic_encoded", "critic_drawn")


def key(seed=5):
    return jax.random.key(seed)


def tiny(**own):
    config = load("bicycle_gan").unlock()
    config.stages.gan.batch_size = own.pop("batch_size", 4)
    config.width, config.data.image_size = 1 / 16, SIDE
    config.bicycle.update({"latent": LATENT, "critic_layers": 1, **own})
    return resolve(config, images=64)


CONFIG = tiny()
NETWORKS = bicycle_gan.build_networks(CONFIG)
OBJECTIVE = bicycle_gan.objective_of(CONFIG)
PLAYERS = bicycle_gan.players(CONFIG, NETWORKS)


@jax.jit
def generator_loss(weights, variables, batch):
    """((loss, metrics), the gradients of the generator's and the encoder's weights)."""
    objective = OBJECTIVE._replace(**weights)

    def loss(own):
        whole = {**variables, "params": {**variables["params"], **own}}
        value, (_, told) = bicycle_gan.generator_loss(NETWORKS, objective, whole, batch, key(), jnp.zeros(()))
        return value, told

    return jax.value_and_grad(loss, has_aux=True)({name: variables["params"][name] for name in TRAINED})


@jax.jit
def critic_losses(variables, batch):
    """(Loss, metrics) of each critic."""
    losses = (bicycle_gan.encoded_critic_loss, bicycle_gan.drawn_critic_loss)
    found = [loss(NETWORKS, OBJECTIVE, variables, batch, key(), jnp.zeros(())) for loss in losses]
    return [(value, told) for value, (_, told) in found]


def weighing(**weights):
    """No weight but these."""
    return {"l1": 0.0, "latent_l1": 0.0, "kl": 0.0, **weights}


@pytest.fixture(scope="module")
def variables():
    """Weights of fifty times the published start, so that no network is as good as silent."""
    inputs = bicycle_gan.example_inputs(OBJECTIVE, example_batch(CONFIG))
    return jax.tree.map(lambda x: 50 * x, init_networks(jax.random.key(1), NETWORKS, inputs, NAMES))


@pytest.fixture(scope="module")
def batch():
    """Smooth photos of two colours each: what they have in common leaves open which."""
    side = np.linspace(-1, 1, SIDE)
    lightness = np.sin(2 * side[:, None] + side) * np.ones((4, 1, 1))
    ab = np.array([[0.5, 0.1], [-0.5, 0.3], [0.1, -0.5], [-0.2, -0.4]])[:, None, None] * lightness[..., None]
    return {"lightness": jnp.asarray(lightness[..., None], jnp.float32), "ab": jnp.asarray(ab, jnp.float32)}


@pytest.fixture(scope="module")
def draw():
    return jax.jit(methods.build(CONFIG).colors.sample, static_argnames=("samples", "rule"))


def with_constant_critics(variables, answer):
    """Critics that answer the same number of everything, at both scales."""

    def silenced(critic):
        last = max(critic)
        silent = {"kernel": jnp.zeros_like(critic[last]["kernel"]), "bias": jnp.full(1, answer)}
        return {**critic, last: silent}

    critics = {
        name: {scale: silenced(own) for scale, own in variables["params"][name].items()} for name in NAMES[2:]
    }
    return {**variables, "params": {**variables["params"], **critics}}


def moved(batch, name, rows):
    """With other values in the even (0) or the odd (1) rows."""
    return {**batch, name: batch[name].at[rows::2].multiply(-0.7)}


def same(one, other):
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def test_losses_are_right_against_critics_that_say_3_of_everything(variables, batch):
    """The squared error is 4 where they should say 1, and 9 where they should say 0; there are two scales."""
    sure = with_constant_critics(variables, 3.0)
    for value, told in critic_losses(sure, batch):
        assert value == pytest.approx(26)
        assert told == {"true_squared_error": pytest.approx(8), "painted_squared_error": pytest.approx(18)}
    (value, told), _ = generator_loss(weighing(), sure, batch)
    assert value == pytest.approx(16) and told["encoded_squared_error"] == pytest.approx(8)
    (value, told), _ = generator_loss(weighing(l1=10.0, latent_l1=0.5, kl=0.01), sure, batch)
    asked = (
        10 * told["encoded_absolute_error"] + 0.5 * told["code_absolute_error"] + 0.01 * 2 * told["kl_nats"]
    )
    assert value == pytest.approx(float(16 + asked), rel=1e-5)


def test_the_weights_are_the_published_ones():
    published = bicycle_gan.objective_of(load("bicycle_gan"))
    assert published == (8, False, 10.0, 0.5, 0.01)


def test_the_error_is_of_the_true_colors_in_the_methods_own_units(variables, batch):
    generator = variables["params"]["generator"]
    last = max(name for name in generator if name.startswith("ConvTranspose"))
    gray = {**generator, last: jax.tree.map(jnp.zeros_like, generator[last])}
    painter = {**variables, "params": {**variables["params"], "generator": gray}}
    (_, told), _ = generator_loss(weighing(), painter, batch)
    expected = np.abs(batch["ab"][::2]).mean() * 128 / 110
    assert told["encoded_absolute_error"] == pytest.approx(expected, rel=1e-5)
    assert told["drawn_absolute_error"] == pytest.approx(expected, rel=1e-5)


def test_the_nats_are_a_sum_so_that_half_a_batch_has_half(variables, batch):
    (one, told), _ = generator_loss(weighing(kl=1.0), with_constant_critics(variables, 1.0), batch)
    assert one == pytest.approx(2 * float(told["kl_nats"]), rel=1e-5) and one > 0
    half = {name: rows[:2] for name, rows in batch.items()}
    (value, told), _ = generator_loss(weighing(kl=1.0), with_constant_critics(variables, 1.0), half)
    assert value == pytest.approx(float(told["kl_nats"]), rel=1e-5)


def test_the_encoder_learns_nothing_by_finding_a_code_again(variables, batch):
    """Against critics that are content with everything."""
    content = with_constant_critics(variables, 1.0)
    _, gradients = generator_loss(weighing(latent_l1=1.0), content, batch)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradients["encoder"]))
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients["generator"]))
    for weights in ({"l1": 1.0}, {"kl": 1.0}):
        _, gradients = generator_loss(weighing(**weights), content, batch)
        assert all(leaf.any() for leaf in jax.tree.leaves(gradients["encoder"]))


def test_content_critics_alone_teach_nothing_and_others_teach_both(variables, batch):
    _, gradients = generator_loss(weighing(), with_constant_critics(variables, 1.0), batch)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradients))
    _, gradients = generator_loss(weighing(), variables, batch)
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients))


def test_the_encoder_sees_no_lightness(variables, batch):
    (_, told), _ = generator_loss(weighing(), variables, batch)
    (_, other), _ = generator_loss(weighing(), variables, moved(batch, "lightness", 0))
    assert other["kl_nats"] == told["kl_nats"]
    assert other["encoded_absolute_error"] != told["encoded_absolute_error"]


def test_the_second_critics_true_colors_are_the_other_half(variables, batch):
    (_, encoded), (_, drawn) = critic_losses(variables, batch)
    (_, other), (_, second) = critic_losses(variables, moved(batch, "ab", 0))
    assert same(second, drawn) and other["true_squared_error"] != encoded["true_squared_error"]
    assert other["painted_squared_error"] != encoded["painted_squared_error"]
    (_, first), (_, other) = critic_losses(variables, moved(batch, "ab", 1))
    assert same(first, encoded) and other["true_squared_error"] != drawn["true_squared_error"]
    assert other["painted_squared_error"] == drawn["painted_squared_error"]


def test_the_lightness_of_the_other_half_is_nobodys(variables, batch):
    other = moved(batch, "lightness", 1)
    assert same(critic_losses(variables, other), critic_losses(variables, batch))
    (_, told), _ = generator_loss(weighing(), variables, batch)
    (_, again), _ = generator_loss(weighing(), variables, moved(other, "ab", 1))
    assert same(again, told)


def test_critics_may_see_the_lightness(batch):
    config = tiny(critic_sees_gray=True)
    seen = bicycle_gan.seen(bicycle_gan.objective_of(config), batch["lightness"], batch["ab"])
    np.testing.assert_array_equal(seen, np.concatenate([batch["lightness"], batch["ab"]], axis=-1))
    (stage,) = methods.build(config).stages
    drawn = jax.eval_shape(partial(stage.init, variables=None), key(), batch).params
    assert drawn["critic_drawn"]["PatchCritic_1"]["Conv_0"]["kernel"].shape == (4, 4, 3, 4)
    assert drawn["encoder"]["Conv_0"]["kernel"].shape == (4, 4, 2, 4)
    assert bicycle_gan.seen(OBJECTIVE, batch["lightness"], batch["ab"]) is batch["ab"]


def test_generator_and_encoder_learn_in_one_turn_and_each_critic_in_its_own():
    assert [(player.name, player.trained, player.repeats) for player in PLAYERS] == [
        ("generator", TRAINED, 1), ("critic_encoded", ("critic_encoded",), 1), ("critic_drawn", ("critic_drawn",), 1),
    ]  # fmt: skip


def test_versions_come_from_the_key_alone_and_differ(draw, variables, batch):
    drawn = draw(variables, batch, key(), samples=3, rule="random")
    assert drawn.field.shape == (4, 3, SIDE, SIDE, 2) and np.abs(drawn.field).max() <= 110 / 128
    np.testing.assert_allclose(drawn.weights, 1 / 3)
    assert (drawn.field.var(axis=1).mean(axis=(1, 2, 3)) > 1e-4).all()
    assert same(draw(variables, batch, key(), samples=3, rule="random"), drawn)
    assert not np.array_equal(draw(variables, batch, key(6), samples=3, rule="random").field, drawn.field)


def test_a_version_is_what_the_generator_paints_by_a_code_of_the_normal_distribution(variables, batch):
    version = jax.jit(partial(bicycle_gan.paint, NETWORKS, LATENT))(variables, batch["lightness"][0], key())
    code = jax.random.normal(key(), (1, LATENT))
    painted = jax.jit(partial(bicycle_gan.paint_by, NETWORKS))(variables, batch["lightness"][:1], code)
    np.testing.assert_allclose(version, painted[0] * 110 / 128, atol=1e-5)


def test_requests_that_cannot_be_answered_are_refused(variables, batch):
    colors = methods.build(CONFIG).colors
    assert colors.request() == (5, "random")
    with pytest.raises(ValueError, match="allowed is 'random'"):
        colors.sample(variables, batch, key(), samples=1, rule="modes")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (
            {"critic_layers": 2},
            r"critic_layers is 2 and config\.bicycle\.scales 2.*image_size 16; .* at most 3",
        ),
        ({"batch_size": 3}, r"stages\.gan\.batch_size is 3; it must be a multiple of 2"),
        ({"latent": 0}, r"bicycle\.latent is 0"),
        ({"kl": -1.0}, r"bicycle\.kl is -1\.0"),
    ],
)
def test_fields_that_cannot_be_are_named(own, told):
    with pytest.raises(ValueError, match=told):
        tiny(**own)


def test_sides_are_powers_of_two():
    config = load("bicycle_gan:size=256")
    assert resolve(config).data.image_size == 256
    config.data.image_size = 96
    with pytest.raises(ValueError, match=r"data\.image_size is 96.*a power of two"):
        resolve(config)


def test_a_model_needs_the_generator_alone_and_can_be_sent_to_another_process():
    method = methods.build(CONFIG)
    assert set(method.abstract_variables()["params"]) == {"generator"}
    again = pickle.loads(pickle.dumps(method.colors))
    assert again.sample.args == method.colors.sample.args and again.request() == (5, "random")
