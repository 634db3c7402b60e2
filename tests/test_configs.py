"""The configs of the package are those of before they took arguments. `.ci/run` runs this on a wheel's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_jax.config import for_stage, from_json, kind_of, load, packaged, to_json
from colorize_jax.methods import resolve

ROOT = Path(__file__).parents[1]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "configs.json").read_text())
"""Resolved with 1000 images, by the names of the files that they were, a file for each data set."""

DATA = ("lfw", "church", "tiny_imagenet", "imagenet_val", "photos")


def now(before: str) -> str:
    """What is now given to `--config` for the file `before`."""
    if before in packaged():
        return before
    if before == "scc_lfw_vgg":
        return "scc:features=vgg16"
    data = next(name for name in DATA if before.endswith(f"_{name}"))
    method = before.removesuffix(f"_{data}")
    for loss in ("l2", "mah", "v1"):
        if method == f"vae_mdn_{loss}":
            return f"vae_mdn:data={data},loss={loss}"
    return f"{method}:data={data}"


_EDIT_STAGES = ("stages.spread", "stages.correct")
_SCC_ONLY = ("gcrf.", "loss.", "modes.", "spread.", "stages.unary.", "stages.structure.", "stages.modes.")
VANISHED = {
    "scc": ("field_loss.", "cvae.", "stages.vae."),
    "vae_mdn": (*_SCC_ONLY, *_EDIT_STAGES, "mdn.chroma", "mdn.choice", "mdn.tint", "cvae."),
    "vae_mdn_skip": (*_SCC_ONLY, *_EDIT_STAGES, "mdn.chroma", "mdn.choice", "mdn.tint", "cvae."),
    "cvae_v1": (),
    "cvae": (*_SCC_ONLY, *_EDIT_STAGES, "features.", "mdn.", "stages.features.", "stages.mdn."),
    "photo_prior": (),
    "cgan": (),
    "mln_gan": (),
    "bicycle_gan": (),
    "pic": (),
    "scc_prior": (),
}
"""Beginnings of the fields that a method's config had and the method did not read; a method has its own alone now."""


def flat(tree, above=""):
    found = {}
    for name, value in tree.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return found


RUNS = {
    "scc_photos": ("features", "unary", "structure", "mdn"),
    "scc_photos_longer": ("features_longer", "unary_longer", "structure_longer", "mdn_longer"),
    "scc_photos_top": ("features_settled", "unary_settled", "structure_top", "mdn_top"),
    "scc_photos_spread": ("spread_coarse", "spread"),
    "scc_photos_fine": ("spread_fine",),
    "scc_photos_edits": ("correct",),
    "scc_photos_together": ("correct_together",),
    "scc_photos_modes": ("modes",),
    "scc_photos_vivid": ("modes_vivid",),
    "scc_photos_seen": ("modes_seen",),
}
"""Stages of the released model's plan, by the names of the runs that they were; `correct_again` had no config."""

SWITCHES = ("modes.learned", "spread.learned", "spread.fine", "init_from")
"""Which networks there are, and which come from elsewhere: the plan says so now."""

READ_BY = {"modes.chroma_power": "modes", "mdn.relaxation": "mdn modes", "spread.together": "correct"}
READ_BY |= {"spread.turn": "correct", "spread.correct": "correct", "loss.unary_weight": "structure"}
"""Fields that single kinds of stages read; elsewhere their value tells nothing."""

SAMPLED = ("mdn.choice", "mdn.chroma")
"""What sampling alone reads: the released model's, in evaluations between, too."""


@pytest.mark.parametrize(("run", "label"), [(run, label) for run, labels in RUNS.items() for label in labels])
def test_the_released_models_stages_are_those_of_its_runs(run, label):
    whole = resolve(load("released"))
    kind = kind_of(whole, label)
    now, golden = (
        flat(json.loads(text)) for text in (to_json(for_stage(whole, label)), json.dumps(GOLDEN[run]))
    )
    unread = {path for path, kinds in READ_BY.items() if kind not in kinds.split()}
    skipped = (*VANISHED["scc"], *SWITCHES, *SAMPLED, *unread)
    compared = {path for path in golden if not path.startswith(("stages.", *skipped))}
    compared |= {path for path in golden if path.startswith(f"stages.{kind}.")}
    assert {path: now[path] for path in compared} == {path: golden[path] for path in compared}


def test_every_stage_of_the_plan_is_compared():
    labels = [label for labels in RUNS.values() for label in labels]
    assert set(load("released").plan) - set(labels) == {"correct_again"}


CAME = {
    "cvae.encoder_sees_gray": True,
    "data.regions": 0,
    "field_loss.kl_ramp_epochs": 0.0,
    "field_loss.prior": "own",
    "gcrf.floor_on": "all",
    "gcrf.learn_temperature": True,
    "gcrf.solver": "cholesky",
    "mdn.dropout": 0.0,
    "mdn.tint": 1.0,
    "skip.join": "product",
    "spread.painted": 0.0,
}
"""Fields that came later, and their values, of the methods that have them."""

READ_ANEW = {"mdn.sigma": 0.1**0.5}
"""What `scc` has now: "variance 0.1" is read alike for all methods."""


@pytest.mark.parametrize("before", ["scc_photos", *sorted(GOLDEN.keys() - RUNS.keys())])
def test_no_config_changed(before):
    config = resolve(load(now(before)), images=1000)
    found = flat(json.loads(to_json(config)))
    golden = {path: value for path, value in CAME.items() if path in found} | flat(GOLDEN[before])
    if before != "scc_photos" and config.method == "scc":
        golden |= READ_ANEW
    vanished = {path for path in golden if path.startswith(VANISHED[config.method])}
    assert found == {path: golden[path] for path in golden.keys() - vanished} | {"plan": []}
    assert from_json(to_json(config)) == config


def test_every_config_is_compared():
    methods = {now(name).partition(":")[0] for name in GOLDEN.keys() - RUNS.keys()}
    assert set(packaged()) == {*methods, "released", "scc_photos"}


def test_a_checkout_on_the_path_has_its_own_configs(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from colorize_jax.configs import scc; print(scc.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == ROOT / "configs" / "scc.py"
