"""The mesh of a config, and how batch and state lie on it."""

import pytest
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as Spec

from colorize_jax.train import parallel

# The meshes are abstract, and the chips are not there
pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("unchecked")]


def abstract(data=1, fsdp=1, pixel=1):
    return AbstractMesh((data, fsdp, pixel), parallel.AXES)


class Device:
    """Stands for a chip that is not there."""

    def __init__(self, process_index, id):
        self.process_index, self.id = process_index, id


def test_data_takes_what_the_other_axes_leave():
    devices = [Device(i // 4, i) for i in range(8)]
    mesh = parallel.make_mesh(fsdp=2, pixel=2, devices=devices[::-1])
    assert dict(mesh.shape) == {"data": 2, "fsdp": 2, "pixel": 2}
    assert [device.id for device in mesh.devices.flat] == list(range(8))
    assert {device.process_index for device in mesh.devices[0].flat} == {0}


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"data": 3}, r"3 x 1 x 1 devices, but there are 8"),
        ({"fsdp": 16}, r"1 x 16 x 1 devices, but there are 8"),
        ({"pixel": 8}, r"config.mesh.pixel is 8; it must divide the devices of each process"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, told):
    with pytest.raises(ValueError, match=told):
        parallel.make_mesh(**sizes, devices=[Device(i // 4, i) for i in range(8)])


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((5, 5, 128, 256), Spec(None, None, None, "fsdp")),
        ((5, 5, 256, 128), Spec(None, None, "fsdp")),
        ((1024, 1024), Spec("fsdp")),
        ((129, 512), Spec(None, "fsdp")),
        ((128, 127), Spec()),  # small
        ((129, 257), Spec()),  # nothing to divide
    ],
)
def test_the_largest_axis_that_fsdp_divides_is_split(shape, spec):
    assert parallel.over_fsdp(abstract(data=2, fsdp=4), shape).spec == spec
    assert parallel.over_fsdp(abstract(data=8), shape).spec == Spec()


@pytest.mark.parametrize(
    ("size", "accumulate", "told"),
    [(6, 1, "multiple of the 4 devices"), (12, 2, "multiple of the 4 devices x config.optim.accumulate 2")],
)
def test_a_batch_that_cannot_be_split_is_refused(size, accumulate, told):
    mesh = abstract(data=2, fsdp=2, pixel=2)
    parallel.check_batch_size(8, mesh, "first", accumulate)
    with pytest.raises(ValueError, match=rf"config.stages.first.batch_size is {size}; .* {told}"):
        parallel.check_batch_size(size, mesh, "first", accumulate)
