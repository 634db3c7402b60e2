"""What is read from a compiled program, and what of it is an error."""

import pytest
import toy

from colorize_jax.train import ahead, parallel

PROGRAM = """
  %all-reduce.3 = (f32[128]{0}, bf16[5,5,64]{2,1,0}) all-reduce(%a, %b), replica_groups={{0,1}}, to_apply=%add
  %ag = (f32[16,4]{1,0}, f32[64,4]{1,0:T(8,128)}) all-gather-start(f32[16,4]{1,0} %p), dimensions={0}
  %done = f32[64,4]{1,0} all-gather-done(%ag)
  ROOT %cp = (s32[8]{0}, s32[8]{0}, u32[], u32[]) collective-permute-start(s32[8]{0} %x), source_target_pairs={{0,1}}
  %fusion = f32[128]{0} fusion(%all-reduce.3), kind=kLoop, calls=%fused
"""


def step(memory=0, split=()):
    return ahead.Step("structure", 32, memory, frozenset(split), ahead.collectives(PROGRAM))


def test_each_collective_counts_once_with_what_it_yields():
    found = [(each.kind, each.bytes) for each in ahead.collectives(PROGRAM)]
    sums = 4 * 128 + 2 * 5 * 5 * 64
    assert found == [("all-reduce", sums), ("all-gather", 4 * 64 * 4), ("collective-permute", 32)]


def test_gathers_of_split_parameters_are_allowed_and_nothing_else_that_moves():
    assert [each.kind for each in step().forbidden] == ["all-gather", "collective-permute"]
    assert [each.kind for each in step(split={256}).forbidden] == ["collective-permute"]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (step(memory=17 << 30), r"'structure' needs 17.00 GiB a chip, which has 16; lower .*batch_size"),
        (step(), r"2 collectives that are neither sums nor .*, first all-gather of f32\[64, 4\]"),
    ],
)
def test_what_does_not_fit_or_moves_images_is_an_error(found, told):
    with pytest.raises(ValueError, match=told):
        ahead.check(found, 16 << 30)


def test_sums_that_fit_pass():
    ahead.check(step(memory=16 << 30)._replace(collectives=ahead.collectives(PROGRAM)[:1]), 16 << 30)


def test_an_unknown_chip_is_refused():
    assert ahead.chip_bytes("v5e:4x4") == 16 << 30
    with pytest.raises(ValueError, match=r"'v9:2x2'; known chips are v4, v5e, v5p, v6e"):
        ahead.chip_bytes("v9:2x2")


def test_an_unknown_stage_is_refused():
    method = toy.method(toy.config())
    with pytest.raises(ValueError, match=r"stages has \['third'\]; the method's are first, second"):
        next(ahead.compiled_steps(toy.config(), method, parallel.make_mesh(), ["third"]))
