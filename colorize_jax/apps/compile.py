"""Compiles a config's train steps for a TPU slice: `colorize-compile --config=scc --topology=v5e:4x4`.

Any machine with a CPU will do: the chips need not be there (`pip install colorize_jax[aot]`). The program prints what
each stage's step takes of a chip's memory, and what the chips send each other. It exits with 1 where a step does not
fit, or where the chips send anything but sums of gradients and statistics and, with config.mesh.fsdp, gathers of
parameters.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import collections
import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NoReturn

from absl import flags

from colorize_jax.apps import config_flag

# libtpu compiles only: there is no chip that it should look for, and no cloud that it should ask.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")  # nor one that two programs could quarrel about

UNKNOWN_EPOCH = 10_000
"""Images of an epoch where the config leaves them to the data: only the lengths of schedules depend on it."""

_CONFIG = config_flag.define()
_TOPOLOGY = flags.DEFINE_string("topology", None, "A slice of TPUs, such as v5e:4x4 or v5e:16x16.")
_IMAGES_PER_CHIP = flags.DEFINE_integer(
    "images_per_chip",
    0,
    "Batch size of every stage, for each chip; 0 is the config's, over all.",
    lower_bound=0,
)
_STAGES = flags.DEFINE_list("stages", None, "Names of the stages to compile; by default all.")


def main(arguments: Sequence[str]) -> int:
    """Compiles what the flags name."""
    if arguments or _CONFIG.value is None or not _TOPOLOGY.value:
        raise ValueError("usage: colorize-compile --config=NAME --topology=v5e:4x4; --help lists all flags")
    from colorize_jax import methods
    from colorize_jax.train import ahead, parallel

    memory = ahead.chip_bytes(_TOPOLOGY.value)
    config = methods.resolve(_CONFIG.value, images=UNKNOWN_EPOCH)
    mesh = parallel.make_mesh(**config.mesh, devices=_devices(_TOPOLOGY.value))
    if _IMAGES_PER_CHIP.value:
        config = _with_batch_size(config, _IMAGES_PER_CHIP.value * parallel.row_shards(mesh))
    print(
        f"{_TOPOLOGY.value}: {mesh.size} chips, {dict(mesh.shape)}, {memory / 2**30:.0f} GiB each", flush=True
    )
    for step in ahead.compiled_steps(config, methods.build(config), mesh, _STAGES.value):
        print(_row(step), flush=True)
        ahead.check(step, memory)
    return 0


def _devices(topology: str) -> list[Any]:
    if find_spec("libtpu") is None:
        raise ValueError("libtpu is missing, which compiles for TPUs: pip install colorize_jax[aot]")
    from jax.experimental import topologies

    try:
        return topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    except Exception as error:  # libtpu raises what it likes
        raise ValueError(f"--topology is {topology!r}, which libtpu does not know: {error}") from error


def _with_batch_size(config: Any, batch_size: int) -> Any:
    from ml_collections import ConfigDict

    from colorize_jax import methods

    changed = ConfigDict(config.to_dict())
    for stage in changed.stages.values():
        stage.batch_size = batch_size
    return methods.resolve(changed)


def _row(step: Any) -> str:
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for each in step.collectives:
        counts[each.kind][0] += 1
        counts[each.kind][1] += each.bytes
    sent = ", ".join(f"{n} {kind} of {size / 2**20:.1f} MiB" for kind, (n, size) in sorted(counts.items()))
    return (
        f"{step.stage}: batch {step.batch_size}, {step.memory / 2**30:.2f} GiB a chip; "
        f"{sent or 'no collectives'}"
    )


def cli() -> NoReturn:
    """Entry point of the console script `colorize-compile`."""
    common.run(main)


if __name__ == "__main__":
    cli()
