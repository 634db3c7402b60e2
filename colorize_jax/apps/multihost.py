"""The flags of programs that several processes run together, and how these find each other."""

from absl import flags

_MULTIHOST = flags.DEFINE_bool(
    "multihost",
    False,
    "This is one of several processes that run the same command. Cloud TPU, GKE, Slurm and Open MPI are detected; "
    "elsewhere give --coordinator, --processes and --process_id.",
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, any free port.")
_PROCESSES = flags.DEFINE_integer("processes", None, "How many there are.", lower_bound=1)
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0.", lower_bound=0)
_EXPECT_PROCESSES = flags.DEFINE_integer("expect_processes", None, "Fail if there are not as many.")
_EXPECT_DEVICES = flags.DEFINE_integer("expect_devices", None, "Fail if all have not as many together.")
_TIMEOUT_S = flags.DEFINE_float("connect_timeout_s", 300.0, "Seconds in which all must come.", lower_bound=1)


def join() -> None:
    """Joins the processes that `--multihost` tells of; the first one prints their devices.

    Raises:
      ValueError: another number of processes or devices than expected, or flags that do not go together.
    """
    from colorize_jax.train import hosts

    if _MULTIHOST.value:
        hosts.connect(_COORDINATOR.value, _PROCESSES.value, _PROCESS_ID.value, timeout_s=_TIMEOUT_S.value)
        if hosts.is_first():
            print(hosts.table(), flush=True)
    elif given := [f for f in (_COORDINATOR, _PROCESSES, _PROCESS_ID) if f.value is not None]:
        raise ValueError(f"--{given[0].name} is given without --multihost; add it")
    hosts.check_counts(_EXPECT_PROCESSES.value, _EXPECT_DEVICES.value)


_ALONE_S = 7 * 24 * 3600  # processes that do not wait for each other end hours apart


def part() -> tuple[int, int]:
    """(This process, how many) for processes that share out work and never wait for each other.

    With --processes and --process_id alone the processes are not connected, and one that dies takes no other with it.
    Otherwise JAX's runtime joins them, as it does on a detected cluster, and ends them all when one dies.

    Raises:
      ValueError: as `join`, or a process id that is not among the processes.
    """
    import jax

    from colorize_jax.train import hosts

    processes, process_id = _PROCESSES.value, _PROCESS_ID.value
    if not _MULTIHOST.value:
        join()
        return 0, 1
    if _COORDINATOR.value is None and processes is not None and process_id is not None:
        if process_id >= processes:
            raise ValueError(f"--process_id is {process_id}; allowed are 0..{processes - 1}")
        if _EXPECT_PROCESSES.value not in (None, processes):
            raise ValueError(
                f"--expect_processes is {_EXPECT_PROCESSES.value}, but --processes is {processes}"
            )
        hosts.check_counts(devices=_EXPECT_DEVICES.value)
        return process_id, processes
    hosts.connect(_COORDINATOR.value, processes, process_id, timeout_s=_TIMEOUT_S.value, leave_s=_ALONE_S)
    hosts.check_counts(_EXPECT_PROCESSES.value, _EXPECT_DEVICES.value)
    return jax.process_index(), jax.process_count()
