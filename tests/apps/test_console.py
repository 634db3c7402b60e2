"""What a program meets outside of itself is one line that says what to do, and no printing ends it."""

import errno
import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from colorize_jax.apps import console, stop_key, streams

pytestmark = pytest.mark.quick

TOY = """
import sys, time
from absl import flags
from colorize_jax.apps import common
SIZE = flags.DEFINE_integer("size", 3, "Of the toy.")
def main(arguments):
    for name in arguments:
        print(f"saw {name}", flush=True)
    if SIZE.value == 7:
        raise KeyboardInterrupt
    if SIZE.value == 9:
        class Callback:
            def __del__(self):
                raise KeyboardInterrupt
        Callback()
        time.sleep(30)
    if SIZE.value == 6:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("a module in C") from error
    if SIZE.value == 5:
        with open("slow.py", "w") as file:
            file.write("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(30)")
        sys.path.insert(0, ".")
        import slow
    if SIZE.value == 8:
        raise RuntimeError("a bug")
common.run(main)
"""


def toy(*arguments: str | bytes, stdout: int | io.IOBase = subprocess.PIPE, **environment: str):
    command = [sys.executable, "-c", TOY, *arguments]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, env=os.environ | environment, timeout=60
    )


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "iso-8859-1"])
def test_names_that_no_stream_can_show_end_nothing(encoding):
    done = toy("größe.jpg", b"caf\xe9.jpg", "写真.jpg", "last", PYTHONIOENCODING=f"{encoding}:strict")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode(encoding).splitlines()
    assert len(lines) == 4 and lines[1] == r"saw caf\xe9.jpg" and lines[3] == "saw last"
    assert lines[2] == ("saw 写真.jpg" if encoding == "utf-8" else r"saw \u5199\u771f.jpg")


def test_a_full_disk_below_the_output_is_told_and_a_reader_that_had_enough_is_not():
    with open("/dev/full", "w") as full:
        done = toy("one", "two", stdout=full)
    assert (
        done.returncode == 1
        and done.stderr == b"error: standard output is not whole (No space left on device)\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as gone:
        done = toy("one", "two", stdout=gone)
    assert done.returncode == 0 and done.stderr == b""


def test_ctrl_c_is_one_line_and_a_bug_keeps_its_traceback():
    done = toy("--size=7")
    assert done.returncode == 130 and done.stderr.startswith(b"error: stopped by Ctrl-C")
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" in toy("--size=8").stderr


@pytest.mark.parametrize(
    "size", [9, 6, 5], ids=["in a callback", "made another error", "while a module is loaded"]
)
def test_ctrl_c_is_the_same_line_wherever_it_comes(size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = toy(f"--size={size}")
    assert done.returncode == 130
    assert done.stderr == b"error: stopped by Ctrl-C; give the same command again to go on\n"


@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_help_shows_the_products_flags_alone(asked):
    done = toy(asked)
    assert done.returncode == 0 and b"--size: Of the toy." in done.stdout
    assert b"verbosity" not in done.stdout and b"--v:" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--sise=3"],
            "error: Unknown command line flag 'sise'. Did you mean: size ?; --help lists all flags\n",
        ),
        (["--size=many"], "error: flag --size=many: invalid literal"),
        (["https://example.org/cat.jpg"], "error: https://example.org/cat.jpg: an address, and only files"),
        (["--size=3", "gs://bucket/cat.jpg"], "error: gs://bucket/cat.jpg: an address, and only files"),
    ],
)
def test_a_mistake_in_the_command_is_one_line(arguments, told):
    done = toy(*arguments)
    assert done.returncode == 1 and done.stderr.decode().startswith(told) and done.stderr.count(b"\n") == 1


def test_a_device_that_is_not_there_is_told(monkeypatch):
    error = RuntimeError("Unable to initialize backend 'abacus': not in the list")
    assert console.told(error) is None  # a bug, where JAX has its devices

    def devices():
        raise error

    monkeypatch.setenv("JAX_PLATFORMS", "abacus")
    monkeypatch.setattr(jax, "devices", devices)
    told = console.told(RuntimeError("what came of it"))
    assert told.startswith(
        "JAX_PLATFORMS is 'abacus', and no such device is ready here (Unable to initialize"
    )
    assert "unset it or set it to cpu" in told and console.told(KeyError("a bug")) is None


def test_a_plugin_that_is_not_there_is_told():
    """JAX asserts, in its own function, where a known platform's plugin is not installed."""
    code = "import jax\nfrom colorize_jax.apps import console\ntry: jax.devices()\n"
    code += "except Exception as error: print(console.told(error))"
    environment = os.environ | {"JAX_PLATFORMS": "cuda"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if done.stdout.strip() == "":
        pytest.skip("this machine has the device")
    assert "JAX_PLATFORMS is 'cuda', and no such device is ready here" in done.stdout


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), ValueError("tensorstore: Disk quota exceeded")],
)
def test_a_full_disk_is_told_however_deep_it_lies(error):
    outer = RuntimeError("saving failed")
    outer.__cause__ = error
    assert "the disk is full" in console.told(outer) and "free some space" in console.told(outer)


def test_a_full_disk_is_told_once_and_not_by_threads_of_libraries(capsys):
    def news(message, error=None):
        told = None if error is None else (type(error), error, None)
        return console.is_news(logging.LogRecord("absl", logging.ERROR, "", 1, message, (), told))

    full = OSError(errno.ENOSPC, "No space left on device")
    assert not news("saving failed", full) and not news("RESOURCE_EXHAUSTED: no space left on device")
    assert news("saving failed", ValueError("a bug")) and news("checkpoint 3 is unreadable")
    stop_key.excepthook(RuntimeError, RuntimeError("Event loop is closed"), None)
    assert capsys.readouterr().err == ""
    stop_key.excepthook(RuntimeError, RuntimeError("a bug"), None)
    stop_key.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == (
        "RuntimeError: a bug\nerror: stopped by Ctrl-C; give the same command again to go on\n"
    )


def test_a_missing_extra_is_told():
    told = console.told(ModuleNotFoundError("No module named 'grain'", name="grain"))
    assert told.startswith("No module named 'grain'; colorize-doctor")
    assert (
        console.told(ModuleNotFoundError("No module named 'colorize_jax.x'", name="colorize_jax.x")) is None
    )


def test_a_lasting_stream_keeps_what_it_can(tmp_path):
    with open(tmp_path / "out", "wb") as file:
        stream = streams.LastingStream(file, "utf-8", write_through=True)
        stream.write("kept\n")
        stream.flush()
        assert stream.lost is None
    assert Path(tmp_path / "out").read_text() == "kept\n"
