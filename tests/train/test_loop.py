"""The loop on a toy method: resuming, stopping, diverging, reporting."""

import functools
import io
import itertools
import json
import math
import os
import re
import signal

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
import toy
from PIL import Image

from colorize_jax import bundle, methods
from colorize_jax.train import checkpoints, handover, loop, parallel, provenance, stop, telemetry

orbax_leaves_futures = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def run(workdir, config=None, *, data=None, method=None, changed=()):
    config = config or toy.config()
    method, data = method or toy.method(config), data or toy.data()
    return loop.train(config, method, data, workdir, out=io.StringIO(), changed=changed)


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """The toy's programs are compiled once for all tests; a test with an update of its own compiles that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "compile_stage", functools.cache(parallel.compile_stage))
        yield


def same_bits(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    return all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


def lines(workdir, kind="train"):
    return [line for line in telemetry.read_metrics(workdir / "metrics.jsonl").lines if line["kind"] == kind]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run that nothing interrupted: (its folder, its variables)."""
    workdir = tmp_path_factory.mktemp("straight")
    return workdir, run(workdir)


def disturbed(after, disturb):
    """Data that call `disturb` when the batch of step `after` of the first stage is asked for."""

    class Disturbed(toy.Stream):
        def iterate(self, start_step):
            for step in itertools.count(start_step):
                if (self.order, step) == (0, after):
                    disturb()
                yield self.batch_at(step)

    return toy.data()._replace(training=lambda order, size: Disturbed(order, size, 0.0, None, False))


def stopping(after):
    return disturbed(after, lambda: os.kill(os.getpid(), signal.SIGTERM))


def fail():
    raise RuntimeError("power")


def test_two_steps_saved_and_resumed_are_four_straight_steps(tmp_path, straight):
    _, expected = straight
    config = toy.config(**{"checkpoint.every_steps": 100})
    with pytest.raises(stop.Interrupted) as stopped:
        run(tmp_path, config, data=stopping(after=2))
    assert stopped.value.signal == signal.SIGTERM
    with checkpoints.StageCheckpoints(tmp_path, "first", keep=2) as saved:
        assert saved.latest in (2, 3), "SIGTERM must save at once"
    assert same_bits(run(tmp_path, config), expected)


def test_files_that_a_kill_left_half_written_stop_no_run(tmp_path, straight):
    _, expected = straight
    with pytest.raises(stop.Interrupted):
        run(tmp_path, toy.config(**{"checkpoint.every_steps": 1}), data=stopping(after=2))
    for name in ("checkpoints/first.sums/.2.0123abcd.tmp.json", "stages/.first.0123abcd.tmp.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{")
    assert same_bits(run(tmp_path, toy.config(**{"checkpoint.every_steps": 1})), expected)
    assert same_bits(checkpoints.restore_variables(tmp_path), expected)


def test_a_second_ctrl_c_does_not_wait():
    request = stop.StopRequest()
    request(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        request(signal.SIGINT, None)


def test_a_stage_hands_over_what_it_trained(straight):
    workdir, variables = straight
    first = checkpoints.load_stage(workdir, "first")
    assert set(first["params"]) == {"first"}
    assert same_bits(first["params"]["first"], variables["params"]["first"])
    assert same_bits(checkpoints.restore_variables(workdir), variables)


def test_a_run_begins_with_the_networks_of_another(tmp_path, straight, capsys):
    workdir, variables = straight
    changes = {f"stages.{stage}.lr": 0.05 for stage in ("first", "second")}
    config = toy.config(**changes)  # programs of its own: they start from another state
    initial = handover.begin(str(workdir), toy.method(config), toy.data())
    assert same_bits(initial.variables, variables)
    assert "begins with first, second" in capsys.readouterr().out
    loop.train(config, toy.method(config), toy.data(), tmp_path, initial=initial, out=io.StringIO())
    assert lines(tmp_path)[0]["loss"] < 0.1 * lines(workdir)[0]["loss"]


def test_a_run_begins_with_a_released_model(tmp_path, straight):
    _, variables = straight
    released = jax.tree.map(np.asarray, {**variables, "params": {"first": variables["params"]["first"]}})
    bundle.save_bundle(tmp_path, methods.defaults("scc"), released, {})
    initial = handover.begin(str(tmp_path), toy.method(toy.config()), toy.data())
    assert set(initial.variables["params"]) == {"first"}
    for own, there in zip(
        jax.tree.leaves(initial.variables["params"]), jax.tree.leaves(released["params"]), strict=True
    ):
        np.testing.assert_allclose(own, there, rtol=0.005)


def test_a_stage_of_no_epochs_hands_on_what_it_was_given(tmp_path, straight):
    workdir, variables = straight
    epochs = {"stages.first.epochs": 0.0, "stages.second.epochs": 1.0}
    config = toy.config(**epochs)
    initial = handover.begin(str(workdir), toy.method(config), toy.data())
    after = loop.train(config, toy.method(config), toy.data(), tmp_path, initial=initial, out=io.StringIO())
    assert same_bits(after["params"]["first"], variables["params"]["first"])
    assert not same_bits(after["params"]["second"], variables["params"]["second"])
    # Nothing has changed, so nothing is evaluated.
    assert {line["stage"] for line in lines(tmp_path, "evaluation")} == {"second"}


def test_a_stage_ends_with_statistics_of_further_batches(tmp_path):
    config = toy.config()
    first, *others = toy.method(config).stages

    def calibrate(variables, batch, rng):
        return {"first": {"mean": batch["lightness"].mean((0, 1, 2))}}

    calibrated = first._replace(calibrate=calibrate, calibration_batches=3)
    after = run(tmp_path, method=toy.method(config)._replace(stages=(calibrated, *others)))
    steps = loop.stage_steps(first.epochs, config.data.epoch_images, first.batch_size)
    stream = toy.data().training(0, first.batch_size)
    means = [stream.batch_at(steps + i)["lightness"].mean() for i in range(3)]
    np.testing.assert_allclose(after["batch_stats"]["first"]["mean"], [np.mean(means)], rtol=1e-5)


def test_networks_of_other_sizes_are_refused(tmp_path, straight):
    workdir, _ = straight
    config = toy.config()
    first, *others = toy.method(config).stages

    def wider(*arguments):
        state = first.init(*arguments)
        return state._replace(params={**state.params, "first": {"slope": jnp.zeros((1, 3))}})

    method = toy.method(config)._replace(stages=(first._replace(init=wider), *others))
    with pytest.raises(ValueError, match=r"1 extra: params/first/offset .*; 1 misshapen: params/first/slope"):
        handover.begin(str(workdir), method, toy.data())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("default", "there is no such folder; released:default is the model of the package"),
        ("nowhere", "is 'nowhere', and there is no such folder"),
        ("released:moon", "the models of the package are default"),
    ],
)
def test_what_a_run_cannot_begin_with_is_named(tmp_path, monkeypatch, source, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(told)):
        handover.find(source)


def test_a_folder_wins_unless_the_package_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)
    assert handover.find("default") == tmp_path / "default"
    assert handover.find("released:default") == bundle.WEIGHTS / "default"


def test_nothing_is_compiled_twice(straight):
    mesh = parallel.make_mesh()
    for stage in toy.method(toy.config()).stages:
        programs = parallel.compile_stage(stage, mesh, parallel.replicated(mesh))
        assert programs.calibrate is None  # the toy has no statistics of batches
        sizes = {name: program._cache_size() for name, program in programs._asdict().items() if program}
        assert sizes == {"init": 1, "update": 1, "evaluate": 1, "pictures": 1}


def test_metrics_hold_every_step_once_after_losing_some(tmp_path, straight):
    config = toy.config(**{"checkpoint.every_steps": 4})
    with pytest.raises(RuntimeError, match="power"):
        run(tmp_path, config, data=disturbed(7, fail))
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "sta')  # cut short
    variables = run(tmp_path, config)
    expected = [(stage, step) for stage in ("first", "second") for step in range(1, 11)]
    assert [(line["stage"], line["step"]) for line in lines(tmp_path)] == expected
    assert same_bits(variables, straight[1])
    assert [line["loss"] for line in lines(tmp_path)] == [line["loss"] for line in lines(straight[0])]
    seconds = [line["stage_s"] for line in lines(tmp_path)[:10]]
    assert seconds == sorted(seconds)


def test_evaluations_are_exact_whatever_the_padding(straight):
    workdir, _ = straight
    evaluations = lines(workdir, "evaluation")
    assert [(line["stage"], line["step"]) for line in evaluations] == [
        ("first", 5),
        ("first", 10),
        ("second", 5),
        ("second", 10),
    ]
    padded = toy.images([9], 8)["lightness"][:6]
    assert evaluations[0]["images"] == 6
    assert math.isclose(evaluations[0]["lightness"], float(padded.mean()), rel_tol=1e-5)


def test_an_evaluation_that_was_cut_off_is_done_when_resuming(tmp_path):
    plain = toy.data()
    asked = []

    def evaluation(order, size, count):
        asked.append(count)
        if len(asked) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain.evaluation(order, size, count)

    data = plain._replace(evaluation=evaluation)
    with pytest.raises(stop.Interrupted):
        run(tmp_path, data=data)
    assert not lines(tmp_path, "evaluation")
    run(tmp_path, data=data)
    assert [line["step"] for line in lines(tmp_path, "evaluation")] == [5, 10, 5, 10]


def test_each_evaluation_writes_a_contact_sheet(straight):
    workdir, _ = straight
    names = sorted(path.name for path in (workdir / "sheets").iterdir())
    assert names == [f"{i}_{s}_{n:07d}.png" for i, s in enumerate(("first", "second")) for n in (5, 10)]
    with Image.open(workdir / "sheets" / names[0]) as picture:
        assert picture.size == (4 + 2 * (toy.SIDE + 2), 17 + 4 * (toy.SIDE + 2))
        assert np.asarray(picture.convert("RGB")).std() > 0


def test_nan_stops_with_stage_step_batch_and_the_last_good_checkpoint(tmp_path):
    with pytest.raises(loop.NonFinite) as stopped:
        run(tmp_path, data=toy.data(poison=3))
    for part in ("'first'", "step 4", "batch 3", "3_0.jpg", "loss is nan", "step 3 in"):
        assert part in str(stopped.value)
    with checkpoints.StageCheckpoints(tmp_path, "first", keep=2) as saved:
        assert saved.latest == 3


def test_a_state_that_is_not_finite_is_never_saved(tmp_path):
    config = toy.config(**{"checkpoint.every_steps": 2})
    method = toy.method(config)
    first = method.stages[0]

    def update(state, batch, rng):
        state, metrics = first.update(state, batch, rng)
        bad = jax.tree.map(lambda p: jax.numpy.where(state.step == 4, jax.numpy.inf, p), state.params)
        return state._replace(params=bad), metrics

    with pytest.raises(loop.NonFinite, match=r"step 4 .*left NaN or infinity.*step 2 in"):
        run(tmp_path, config, method=method._replace(stages=(first._replace(update=update),)))
    with checkpoints.StageCheckpoints(tmp_path, "first", keep=2) as saved:
        assert saved.latest == 2


def test_an_overfit_batch_gets_better(tmp_path):
    config = toy.config(**{"stages.first.epochs": 4.0, "checkpoint.every_steps": 100})
    method = toy.method(config)
    run(tmp_path, config, method=method._replace(stages=method.stages[:1]), data=toy.data(constant=True))
    losses = [line["loss"] for line in lines(tmp_path)]
    assert max(losses[-3:]) < 0.3 * losses[0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"seed": 4}, "config.seed: 3 there, 4 now"), ({"stages.first.lr": 0.2}, "config.stages.first.lr")],
)
def test_another_config_is_refused_by_name(straight, changes, named):
    with pytest.raises(ValueError, match=named):
        run(straight[0], toy.config(**changes))


def test_a_stage_to_come_may_change_where_that_is_meant(tmp_path):
    lr = "stages.second.lr"
    with pytest.raises(stop.Interrupted):
        run(tmp_path, data=stopping(after=2))
    other = toy.config(**{lr: 0.05})
    with pytest.raises(ValueError, match=rf"config.{lr}: 0.1 there, 0.05 now.*--changed"):
        run(tmp_path, other, changed=["stages.first", "seed"])
    with pytest.raises(ValueError, match=r"--changed has 'stages\.third', and config has no such field"):
        run(tmp_path, other, changed=["stages.third"])
    went_on = run(tmp_path, other, changed=["stages.second"])
    assert same_bits(went_on, run(tmp_path / "straight", other))
    starts = json.loads((tmp_path / "versions.json").read_text())
    assert [start.get("changed") for start in starts] == [None, {lr: [0.1, 0.05]}]
    assert same_bits(run(tmp_path, other, changed=["stages.second"]), went_on)  # the same command, once more


def test_stages_to_come_may_read_other_sets_and_a_set_that_stays_is_the_same(tmp_path):
    row = {"dataset": "toy", "split": "train", "split_hash": "1", "weight": 1.0}
    given = lambda *rows: toy.data()._replace(provenance=list(rows))  # noqa: E731
    run(tmp_path, data=given(row))
    other = toy.config(**{"data.mixture": (("toy", "train", 0.5), ("more", "train", 0.5))})
    more = [{**row, "weight": 0.5}, {**row, "dataset": "more", "weight": 0.5}]
    with pytest.raises(ValueError, match="data differ"):
        run(tmp_path, other, data=given({**more[0], "split_hash": "2"}, more[1]), changed=["data.mixture"])
    run(tmp_path, other, data=given(*more), changed=["data.mixture"])
    assert json.loads((tmp_path / "data.json").read_text()) == more


def test_what_does_not_shape_the_result_may_change(tmp_path, straight):
    config = toy.config(
        **{"log.every_steps": 5, "checkpoint.keep": 1, "data.dir": "elsewhere", "data.threads": 1}
    )
    with pytest.raises(stop.Interrupted):
        run(tmp_path, data=stopping(after=6))
    assert same_bits(run(tmp_path, config), straight[1])
    assert json.loads((tmp_path / "config.json").read_text())["data"]["dir"] == "elsewhere"


def test_the_last_stage_can_be_made_longer_and_a_followed_one_cannot(tmp_path):
    run(tmp_path)
    longer = toy.config(**{"stages.second.epochs": 3.0})
    extended = run(tmp_path, longer)
    assert same_bits(extended, run(tmp_path / "straight", longer))
    with pytest.raises(ValueError, match=r"'first'.*10 steps.*15.*'second' was already built on it"):
        run(tmp_path, toy.config(**{"stages.first.epochs": 3.0, "stages.second.epochs": 3.0}))


def test_other_data_are_refused(straight):
    with pytest.raises(ValueError, match="data differ"):
        run(straight[0], data=toy.data()._replace(provenance=[{"dataset": "other"}]))


def test_the_same_data_told_in_more_words_are_the_same(straight):
    assert same_bits(
        run(straight[0], data=toy.data()._replace(provenance=[{"dataset": "toy", "more": 1}])), straight[1]
    )


def test_two_runs_cannot_share_a_folder(tmp_path):
    from colorize_jax.train import workdir as files

    with files.locked(tmp_path), pytest.raises(ValueError, match="another process is training"):
        run(tmp_path)


def test_the_variables_of_the_lowest_error_are_kept(tmp_path):
    run(tmp_path, toy.config(**{"checkpoint.best": ("nothing", "error")}))
    for stage in ("first", "second"):
        found = [line for line in lines(tmp_path, "evaluation") if line["stage"] == stage]
        lowest = min(found, key=lambda line: line["error"])
        expected = {"step": lowest["step"], "metric": "error", "value": lowest["error"]}
        kept = checkpoints.best(tmp_path, stage)
        assert {name: kept[name] for name in expected} == expected
        assert [path.name for path in (tmp_path / "best" / stage).iterdir()] == [str(lowest["step"])]


def test_a_change_of_any_bit_changes_a_checksum():
    tree = {"a": jnp.arange(6.0).reshape(2, 3), "b": jnp.arange(3), "c": jnp.array([True, False])}
    one = checkpoints.checksums(tree)
    assert one == checkpoints.checksums(jax.tree.map(np.asarray, tree))
    changed = [
        {**tree, "a": tree["a"].at[1, 2].multiply(-1)},
        {**tree, "a": tree["a"][:, ::-1]},
        {**tree, "a": tree["a"][::-1]},
        {**tree, "b": tree["b"].at[0].set(1)},
        {**tree, "c": ~tree["c"]},
    ]
    for other in changed:
        assert sum(a != b for a, b in zip(one, checkpoints.checksums(other), strict=True)) == 1


def test_a_damaged_stage_is_no_model(tmp_path):
    run(tmp_path)
    marker = tmp_path / "stages" / "second.json"
    told = json.loads(marker.read_text())
    marker.write_text(json.dumps({**told, "sums": [told["sums"][0] ^ 1, *told["sums"][1:]]}))
    with pytest.raises(ValueError, match=r"stage 'second' in .* are not those that were saved"):
        checkpoints.restore_variables(tmp_path)


def test_the_best_stays_until_a_better_one_is_whole(tmp_path):
    for step, value in enumerate((0.3, math.nan, 0.4, 0.2, 0.2)):
        checkpoints.keep_best(
            tmp_path, "first", step, "error", value, {"params": {"mean": jnp.full(1, step)}}
        )
        told = checkpoints.best(tmp_path, "first")
        assert told["step"] == (0 if step < 3 else 3)
        assert checkpoints.load_best(tmp_path, "first")["params"]["mean"] == told["step"]
    with pytest.raises(ValueError, match="keeps no best variables of stage 'second'"):
        checkpoints.load_best(tmp_path, "second")


def cut_short(checkpoint):
    for path in checkpoint.rglob("*"):
        if path.is_file() and path.parent.name == "d":
            path.write_bytes(b"")


def flip_a_bit(checkpoint):
    """One that matters: of small arrays saved slowly, the largest file is one that a later write has replaced."""
    before = read(checkpoint)
    for path in sorted((p for p in checkpoint.rglob("d/*") if p.is_file()), key=lambda p: -p.stat().st_size):
        whole = path.read_bytes()
        place = len(whole) // 2
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            changed = not same_bits(read(checkpoint), before)
        except Exception:  # of whatever type tensorstore's parsers raise
            changed = True
        if changed:
            return
    pytest.fail(f"no flipped bit in {checkpoint} changes what is read")


def read(checkpoint):
    with ocp.PyTreeCheckpointer() as checkpointer:
        return checkpointer.restore(checkpoint / "default")


@orbax_leaves_futures
@pytest.mark.parametrize("damage", [cut_short, flip_a_bit])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(tmp_path, straight, caplog, damage):
    with pytest.raises(stop.Interrupted):
        run(tmp_path, data=stopping(after=6))
    folder = tmp_path / "checkpoints" / "first"
    newest = max(folder.iterdir(), key=lambda path: int(path.name))
    damage(newest)
    assert same_bits(run(tmp_path), straight[1])
    assert (folder / f"{newest.name}.unreadable").exists()
    assert "unreadable" in caplog.text


@orbax_leaves_futures
def test_no_readable_checkpoint_is_an_error_that_says_so(tmp_path):
    with pytest.raises(stop.Interrupted):
        run(tmp_path, data=stopping(after=6))
    config = toy.config()
    method = toy.method(config)
    first = method.stages[0]

    def wider(rng, batch, variables):
        state = first.init(rng, batch, variables)
        return state._replace(batch_stats={"first": {"mean": jax.numpy.zeros(3)}})

    with pytest.raises(ValueError, match=r"no checkpoint in .* can be read"):
        run(tmp_path, method=method._replace(stages=(first._replace(init=wider),)))


def test_an_update_without_a_loss_is_refused(tmp_path):
    config = toy.config()
    first = toy.method(config).stages[0]
    lossless = first._replace(update=lambda *args: (first.update(*args)[0], {"error": jax.numpy.zeros(())}))
    with pytest.raises(ValueError, match="'loss' must be among them"):
        run(tmp_path, method=toy.method(config)._replace(stages=(lossless,)))


def test_a_folder_without_a_finished_stage_has_no_variables(tmp_path):
    with pytest.raises(ValueError, match="no finished stage"):
        checkpoints.restore_variables(tmp_path)


def test_a_terminal_gets_a_bar_and_a_pipe_gets_lines(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    config, terminal, pipe = toy.config(), Terminal(), io.StringIO()
    first = toy.method(config)._replace(stages=toy.method(config).stages[:1])
    loop.train(config, first, toy.data(), tmp_path / "bar", out=terminal)
    loop.train(config, first, toy.data(), tmp_path / "lines", out=pipe)
    assert "images/s" in terminal.getvalue() and "step 3/10" not in terminal.getvalue()
    assert "first: step 3/10" in pipe.getvalue() and "left" in pipe.getvalue()


def test_a_run_goes_on_only_with_what_it_began_with(tmp_path, straight):
    workdir, variables = straight
    config = toy.config(**{"stages.first.epochs": 0.0})
    first = handover.begin(str(workdir), toy.method(config), toy.data())
    assert first.record["sha256"] == handover.sha256(variables) and first.record["provenance"]["run"]
    loop.train(config, toy.method(config), toy.data(), tmp_path, initial=first, out=io.StringIO())
    told = provenance.of_run(tmp_path, {})["began_with"]
    assert told["sha256"] == first.record["sha256"] and told["stages"][0]["stage"] == "first"
    other = first._replace(record={**first.record, "sha256": "0" * 64})
    with pytest.raises(ValueError, match=r"was begun with the arrays \w{12} of .*holds 000000000000 now"):
        loop.train(config, toy.method(config), toy.data(), tmp_path, initial=other, out=io.StringIO())
