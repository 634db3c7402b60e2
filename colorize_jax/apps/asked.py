"""The flags that say what is asked of a model for every photo."""

from collections.abc import Sequence

from absl import flags

from colorize_jax.control.document import as_edits
from colorize_jax.inference import pipes
from colorize_jax.inference import request as requests

_SAMPLES = flags.DEFINE_integer(
    "samples", None, "Versions of each photo; by default 5, or as many as the model has.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "Of a rule that draws.")
_RULE = flags.DEFINE_string(
    "rule", None, "How versions are chosen, by default the model's first: of the default model 'modes', means of the "
    "mixture, or 'random', draws from it.",
)  # fmt: skip
_MODEL = flags.DEFINE_string(
    "model", "default", "A model of the package (see colorize-doctor), or its folder."
)
_EDITS = flags.DEFINE_string(
    "edits", None, "A JSON file of colour edits for every photo; see colorize_jax/control/document.py."
)
_EDITS_MODE = flags.DEFINE_enum(
    "edits_mode", "over", ["over", "alone", "guided"], "Edits over each version; or one version: edits alone, the rest "
    "gray, or guided by what the model most expects.",
)  # fmt: skip
_EXPLAIN = flags.DEFINE_bool(
    "explain",
    False,
    "Also write what pixels lean on, unary beside final, the variance, and where to edit next.",
)
_EXPLAIN_AT = flags.DEFINE_multi_string(
    "explain_at", [], "x,y of a pixel to explain, in pixels of the photo; may be repeated. Implies --explain."
)

_SERIES = flags.DEFINE_bool(
    "series", None, "The photos are frames that follow each other: versions keep their order and their colours. By "
    "default those that nearly are the same as the one before are.",
)  # fmt: skip

OF_A_MODEL = ("samples", "seed", "rule", "model", "edits", "explain", "explain_at", "series")
"""Flags that only a model has an answer to."""

LOOKED_AT = ("edits", "explain", "explain_at")
"""Flags for photos that somebody looks at."""

EXPLAINED = ("explain", "explain_at")
"""Flags that ask for further pictures of a photo."""


def given(names: Sequence[str]) -> str | None:
    """The first of these flags that the command has."""
    return next((name for name in names if flags.FLAGS[name].present), None)


def check() -> None:
    """Raises: ValueError, for a flag that needs another one."""
    if _EDITS_MODE.present and _EDITS.value is None:
        raise ValueError(
            "--edits_mode says what --edits do, which are not given; add --edits=FILE or leave it out"
        )
    if _SERIES.value and (looked_at := given(LOOKED_AT)):
        raise ValueError(
            f"--{looked_at} is for single photos, and --series for frames; leave out one of them"
        )


def check_film(name: str) -> None:
    """Raises: ValueError, for a flag that a film, which errors call `name`, has no answer to."""
    if flag := given(("reference", *LOOKED_AT)):
        raise ValueError(f"--{flag} is for photos, and {name} is a film; leave out one of them")
    if _SERIES.value is False:
        raise ValueError(
            f"--noseries colours every photo as alone, and {name} is a film; leave out one of them"
        )


def request(*, alone: bool = False) -> requests.Request:
    """What the flags ask for; `alone`: one version, whatever the model's number is."""
    samples, mode = _SAMPLES.value, _EDITS_MODE.value
    if alone:
        samples = requests.one_answer(samples, "--out=-")
    elif _EDITS.value is not None and mode != "over":
        samples = requests.one_answer(samples, f"--edits_mode={mode}")
    positions = [requests.position(text) for text in _EXPLAIN_AT.value]
    edits = None
    if _EDITS.value is not None:
        with pipes.file_of(_EDITS.value) as file:
            edits = as_edits(file)
    explained = _EXPLAIN.value or bool(positions)
    return requests.Request(
        _MODEL.value, samples, _RULE.value, _SEED.value, edits, mode, explained, positions, _SERIES.value
    )
