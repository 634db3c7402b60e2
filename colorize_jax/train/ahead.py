"""What a stage's real train step needs on a slice of chips, found by compiling it where there are none.

The function is the one that the loop runs (`parallel.compile_stage`), with the shapes and shardings of its state and
batch in place of their values.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from colorize_jax.config import for_stage
from colorize_jax.methods.base import STATISTICS, Method, Stage, TrainState, Variables
from colorize_jax.methods.parts.networks import example_batch
from colorize_jax.shapes import Array
from colorize_jax.train import parallel

CHIP_BYTES = {"v4": 32 << 30, "v5e": 16 << 30, "v5p": 95 << 30, "v6e": 32 << 30}
"""Memory of a chip, by the part of a topology's name before the colon (cloud.google.com/tpu/docs)."""

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

_NUMBER_BYTES = {
    "pred": 1,
    "s8": 1,
    "u8": 1,
    "s16": 2,
    "u16": 2,
    "bf16": 2,
    "f16": 2,
    "s32": 4,
    "u32": 4,
    "f32": 4,
}
_NUMBER_BYTES |= {"s64": 8, "u64": 8, "f64": 8}
_COLLECTIVE = re.compile(
    r"^\s*(?:ROOT )?%?[\w.-]+ = (?P<shapes>.*?) (?P<kind>" + "|".join(KINDS) + r")(?P<start>-start)?\("
)
_SHAPE = re.compile(r"\b(\w+)\[([\d,]*)\]")


class Part(NamedTuple):
    """One array that a collective yields on each device."""

    type: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return _NUMBER_BYTES[self.type] * math.prod(self.shape)


class Collective(NamedTuple):
    """An operation of the compiled program in which the devices exchange data."""

    kind: str
    arrays: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        return sum(array.bytes for array in self.arrays)


class Step(NamedTuple):
    """A compiled train step.

    Attributes:
      stage: its name.
      batch_size: over all devices.
      memory: bytes of a device: arguments, results that are not arguments again, and what lives in between.
      split: how many numbers each array of the state has that lies in parts along 'fsdp'.
      collectives: all of them, in the program's order; one within a loop counts once.
    """

    stage: str
    batch_size: int
    memory: int
    split: frozenset[int]
    collectives: tuple[Collective, ...]

    @property
    def forbidden(self) -> list[Collective]:
        """Collectives other than sums and, along 'fsdp', gathers of the state: they move images or solve operands."""
        return [each for each in self.collectives if not self._allowed(each)]

    def _allowed(self, each: Collective) -> bool:
        if each.kind == "all-gather":
            return all(math.prod(array.shape) in self.split for array in each.arrays)
        return each.kind in ("all-reduce", "reduce-scatter")


class TooLarge(ValueError):
    """The compiler found no way to fit the step into a chip's memory."""


def collectives(program: str) -> tuple[Collective, ...]:
    """The collectives of a compiled program's text (HLO)."""
    found = []
    for line in program.splitlines():
        if match := _COLLECTIVE.match(line):
            arrays = tuple(
                Part(type, tuple(map(int, filter(None, shape.split(",")))))
                for type, shape in _SHAPE.findall(match["shapes"])
            )
            if match["start"] and match["kind"] in ("all-gather", "collective-permute"):
                arrays = arrays[len(arrays) // 2 :] if match["kind"] == "all-gather" else arrays[1:2]
            found.append(Collective(match["kind"], arrays))
    return tuple(found)


def compiled_steps(
    config: Any, method: Method, mesh: Mesh, names: Sequence[str] | None = None
) -> Iterator[Step]:
    """The train step of each stage, compiled in turn for the devices of `mesh`, which need not be there.

    Args:
      config: resolved.
      method: built of it.
      mesh: as `parallel.make_mesh` makes it, of a topology's devices.
      names: of the stages to compile; by default all.

    Raises:
      ValueError: an unknown stage, or a batch that cannot be split over the devices.
      TooLarge: a step needs more memory than a chip has, by the compiler's own account.
    """
    known = [stage.name for stage in method.stages]
    if unknown := set(names or ()) - set(known):
        raise ValueError(f"stages has {sorted(unknown)}; the method's are {', '.join(known)}")
    variables = _begin(method)
    for stage in method.stages:
        parallel.check_batch_size(stage.batch_size, mesh, stage.name, stage.accumulate)
        batch = _batch(for_stage(config, stage.name), stage.batch_size)
        arguments = (jax.random.key(0), batch, variables)
        if not names or stage.name in names:
            yield compiled_step(stage, mesh, *arguments)
        variables = jax.eval_shape(stage.init, *arguments).variables


def _begin(method: Method) -> Variables | None:
    """Shapes of the variables before the first stage."""
    if method.statistics is None:
        return None
    return {"params": {}, "batch_stats": {STATISTICS: method.statistics.shapes()}}


def _batch(config: Any, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
    one = jax.eval_shape(lambda: example_batch(config))
    return {
        name: jax.ShapeDtypeStruct((batch_size, *leaf.shape[1:]), leaf.dtype) for name, leaf in one.items()
    }


def compiled_update(
    stage: Stage, mesh: Mesh, rng: Array, batch: Any, variables: Variables | None
) -> tuple[jax.stages.Compiled, TrainState]:
    """The stage's update as the loop calls it, compiled, and the shapes and shardings of its state.

    Args:
      stage: of a method.
      mesh: as `parallel.make_mesh` makes it.
      rng: a typed key.
      batch: of all devices; only its shapes are read, as of `variables`.
      variables: of the stage before.
    """
    layout = parallel.layout(stage, mesh, rng, batch, variables)
    state = parallel.placed(jax.eval_shape(stage.init, rng, batch, variables), layout)
    rows = parallel.placed(batch, parallel.over_rows(mesh))
    key = parallel.placed(jax.eval_shape(lambda: rng), parallel.replicated(mesh))
    return parallel.compile_stage(stage, mesh, layout).update.lower(state, rows, key).compile(), state


def compiled_step(stage: Stage, mesh: Mesh, rng: Array, batch: Any, variables: Variables | None) -> Step:
    """What the compiled update takes and sends; arguments as of `compiled_update`."""
    try:
        compiled, state = compiled_update(stage, mesh, rng, batch, variables)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise TooLarge(f"stage {stage.name!r}: {str(error).splitlines()[0]}") from error
    return step_of(stage, compiled, state)


def step_of(stage: Stage, compiled: jax.stages.Compiled, state: TrainState) -> Step:
    """The account of what `compiled_update` gave."""
    leaves = jax.tree.leaves(state)
    split = frozenset(math.prod(x.shape) for x in leaves if not x.sharding.is_fully_replicated)
    program = collectives(compiled.as_text() or "")
    return Step(stage.name, stage.batch_size, _memory(compiled), split, program)


def _memory(compiled: jax.stages.Compiled) -> int:
    told = compiled.memory_analysis()
    if told is None:
        raise ValueError("this backend does not tell how much memory a compiled program takes")
    return (
        told.argument_size_in_bytes
        + told.output_size_in_bytes
        - told.alias_size_in_bytes  # donated
        + told.temp_size_in_bytes
        + told.generated_code_size_in_bytes
    )


def chip_bytes(topology: str) -> int:
    """Memory of a chip of a topology such as 'v5e:4x4'.

    Raises:
      ValueError: another kind of chip than those of `CHIP_BYTES`.
    """
    kind = topology.partition(":")[0]
    if kind not in CHIP_BYTES:
        raise ValueError(f"topology is {topology!r}; known chips are {', '.join(CHIP_BYTES)}, as in v5e:4x4")
    return CHIP_BYTES[kind]


def check(step: Step, memory: int) -> None:
    """Checks that the step fits `memory` bytes and sends nothing that it should not.

    Raises:
      ValueError: it does not fit, or sends what it should not.
    """
    if step.memory > memory:
        raise TooLarge(
            f"stage {step.stage!r} needs {step.memory / 2**30:.2f} GiB a chip, which has {memory / 2**30:.0f}; lower "
            f"config.stages.{step.stage}.batch_size, or set config.optim.accumulate, config.optim.remat or "
            "config.mesh.fsdp"
        )
    if step.forbidden:
        first = step.forbidden[0]
        shapes = ", ".join(f"{array.type}{list(array.shape)}" for array in first.arrays)
        raise ValueError(
            f"stage {step.stage!r} has {len(step.forbidden)} collectives that are neither sums nor gathers of "
            f"parameters, first {first.kind} of {shapes}; images or solve operands move between chips"
        )
