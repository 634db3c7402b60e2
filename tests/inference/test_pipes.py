"""Photos from pipes, and a version into one."""

import io
import os
import sys
import threading

import pytest

from colorize_jax.inference import pipes

pytestmark = pytest.mark.quick


@pytest.fixture
def piped(monkeypatch):
    def pipe(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return pipe


def test_standard_input_is_read_once_and_files_are_left_alone(piped, tmp_path):
    piped(b"a photo")
    (tmp_path / "file.png").touch()
    with pipes.spooled(["-", str(tmp_path / "file.png"), "-", "missing.png"]) as found:
        assert [*found] == ["-"] and found["-"].name == "stdin" and found["-"].read_bytes() == b"a photo"
    assert not found["-"].exists()


def test_the_same_content_has_the_same_stamp(piped):
    stamps = []
    for content in (b"one photo", b"one photo", b"two photo"):
        piped(content)
        with pipes.spooled(["-"]) as found:
            stamps.append(found["-"].stat().st_mtime_ns)
    assert stamps[0] == stamps[1] != stamps[2]


def test_a_named_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    threading.Thread(target=(tmp_path / "fifo").write_bytes, args=[b"a photo"]).start()
    with pipes.spooled([str(tmp_path / "fifo")]) as found:
        assert found[str(tmp_path / "fifo")].read_bytes() == b"a photo"


def test_a_file_by_its_name_or_by_a_pipe(piped, tmp_path):
    piped(b"a.jpg")
    with pipes.file_of("-") as file:
        assert file.read_bytes() == b"a.jpg"
    with pipes.file_of("list.txt") as file:
        assert str(file) == "list.txt"


def test_a_terminal_and_an_endless_stream_are_refused(piped, monkeypatch):
    piped(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(ValueError, match="nothing is piped into it"), pipes.spooled(["-"]):
        pass
    monkeypatch.setattr(pipes, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="/dev/zero: more than 1,000 bytes"), pipes.spooled(["/dev/zero"]):
        pass


def test_the_only_result_goes_to_standard_output(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    with pipes.results_folder("-") as folder:
        (folder / "stdin_1.png").write_bytes(b"picture")
        (folder / ".colorized.jsonl").touch()
        print("1 of 1 photos coloured")
    assert out.buffer.getvalue() == b"picture"
    with pytest.raises(ValueError, match="there are 2; give a folder"), pipes.results_folder("-") as folder:
        (folder / "a_1.png").touch()
        (folder / "b_1.png").touch()
    with pipes.results_folder("colorized") as folder:
        assert str(folder) == "colorized"
