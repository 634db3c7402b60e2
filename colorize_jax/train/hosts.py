"""Several processes that train together, as a rule one a host: joining, deciding as one, stopping as one.

JAX's own runtime does the work: `jax.distributed` joins the processes, finds Slurm's, GKE's and Cloud TPU's by itself,
and ends them all when one dies. With one process every function here is the plain thing, and nothing is sent.
"""

import contextlib
import json
import os
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

T = TypeVar("T")

LEAVE_S = 60
"""A process that ends waits as long for the others; then JAX ends those that did not come."""

_ANSWER_BYTES = 4096


def connect(
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout_s: float = 300,
    leave_s: int = LEAVE_S,
) -> None:
    """Joins the processes of this run; call it before any other function of JAX.

    A process that waits in vain ends with exit code 1 and says so: JAX would abort it with a stack trace instead.

    Args:
      coordinator: 'host:port' of process 0; None where JAX detects the cluster (Cloud TPU, GKE, Slurm, Open MPI).
      processes: how many; given where `coordinator` is.
      process_id: of this one, from 0; given where `coordinator` is.
      timeout_s: seconds in which all must have joined.
      leave_s: see `LEAVE_S`.

    Raises:
      ValueError: only some of the three are given, they do not fit, or none is given and no cluster is detected.
    """
    given = {"coordinator": coordinator, "processes": processes, "process_id": process_id}
    missing = [name for name, value in given.items() if value is None]
    if missing and len(missing) < len(given):
        raise ValueError(
            f"{' and '.join(missing)} not given; give coordinator, processes and process_id, or none"
        )
    with _told_when_late(
        coordinator or "the coordinator that was detected", processes, process_id, timeout_s
    ):
        try:
            jax.distributed.initialize(
                coordinator,
                processes,
                process_id,
                initialization_timeout=int(timeout_s) + 60,  # later than ours, which says more
                shutdown_timeout_seconds=leave_s,
            )
        except ValueError as error:
            if coordinator is not None:
                raise  # it tells which of the three is wrong
            raise ValueError(
                f"JAX detected no cluster here ({error}); give coordinator, processes and process_id"
            ) from error


@contextlib.contextmanager
def _told_when_late(
    coordinator: str, processes: int | None, process_id: int | None, timeout_s: float
) -> Iterator[None]:
    """Ends this process with the reason if the body takes longer than `timeout_s`."""

    def tell() -> None:
        print(
            f"error: process {'?' if process_id is None else process_id} waited {timeout_s:g} s at {coordinator} "
            f"and not all of {processes or 'the expected'} processes came; start each of them, with the same "
            "coordinator and count, and check that they reach its port",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # the main thread is in C++ and cannot be interrupted

    timer = threading.Timer(timeout_s, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def check_counts(processes: int | None = None, devices: int | None = None) -> None:
    """Checks how many processes have joined and how many devices they have together; None is not checked.

    Raises:
      ValueError: another number, on all processes alike.
    """
    found = {"processes": jax.process_count(), "devices": jax.device_count()}
    for name, expected in (("processes", processes), ("devices", devices)):
        if expected is not None and found[name] != expected:
            raise ValueError(
                f"{expected} {name} were expected, but there are {found[name]}; "
                "start the missing ones or expect what is there"
            )


def table() -> str:
    """The devices of each process, a line each."""
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    lines = [f"{jax.process_count()} processes, {len(devices)} devices"]
    for process, own in groupby(devices, key=lambda device: device.process_index):
        listed = list(own)
        ids = ", ".join(str(device.id) for device in listed)
        lines.append(f"  process {process}: {len(listed)} x {listed[0].device_kind} (id {ids})")
    return "\n".join(lines)


def is_first() -> bool:
    """Whether this is the process that writes and logs."""
    return jax.process_index() == 0


def first_decides(decide: Callable[[], T]) -> T:
    """What `decide` gives on the first process, on all of them; it runs there only.

    Files are read and written by one process only, and what they say must not differ between processes.

    Args:
      decide: gives something that JSON can hold, in under 4 kB.

    Raises:
      ValueError: `decide` raised it, or OSError; on all processes.
    """
    if jax.process_count() == 1:
        return decide()
    answer: dict[str, Any] = {}
    if is_first():
        try:
            answer = {"value": decide()}
        except (ValueError, OSError) as error:
            answer = {"error": str(error)[: _ANSWER_BYTES // 8]}
    text = json.dumps(answer).encode().ljust(_ANSWER_BYTES)
    sent = multihost_utils.broadcast_one_to_all(np.frombuffer(text, np.uint8))
    answer = json.loads(np.asarray(sent).tobytes())
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer["value"]


def check_same(what: str, text: str) -> None:
    """Checks that all processes have the same `text`, by its checksum.

    Raises:
      ValueError: they have not, on all of them; `what` names it.
    """
    if jax.process_count() == 1:
        return
    sums = np.ravel(multihost_utils.process_allgather(np.uint32(zlib.crc32(text.encode()))))
    differing = np.flatnonzero(sums != sums[0]).tolist()
    if differing:
        raise ValueError(
            f"the {what} of processes {differing} differs from process 0's; "
            "give all of them the same command, the same version and copies of the same data"
        )


class Preemption:
    """SIGTERM to any process, known to all of them at the same call.

    JAX catches the signal from `connect` on; the processes then agree on a call that none of them has made.
    """

    def __init__(self) -> None:
        self._calls = 0

    def reached(self) -> bool:
        """Whether to stop here; to be called at the same places, in the same order, on every process."""
        self._calls += 1
        return multihost_utils.reached_preemption_sync_point(self._calls)
