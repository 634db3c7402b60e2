"""Files whole or not at all, under the permissions of any other file; locks that keep a second process out."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorize_jax import files

pytestmark = pytest.mark.quick


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_files_appear_whole_at_the_end(tmp_path):
    targets = [tmp_path / "new" / "a.png", tmp_path / "b"]
    with files.all_replaced(targets) as temporary:
        assert [path.parent for path in temporary] == [path.parent for path in targets]
        assert temporary[0].suffix == ".png" and temporary[1].suffix == ".tmp"
        for number, path in enumerate(temporary):
            path.write_text(str(number))
        assert not any(path.exists() for path in targets)
    assert [path.read_text() for path in targets] == ["0", "1"]
    assert names(tmp_path) == ["b", "new"] and names(tmp_path / "new") == ["a.png"]


def test_after_an_error_nothing_has_changed(tmp_path):
    (tmp_path / "a").write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        files.all_replaced([tmp_path / "a", tmp_path / "b"], overwrite=True) as temporary,
    ):
        temporary[0].write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "old" and names(tmp_path) == ["a"]


def test_what_was_never_written_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), files.replaced(tmp_path / "a"):
        pass
    assert names(tmp_path) == []


def test_nothing_is_overwritten_unasked(tmp_path):
    (tmp_path / "b").write_text("mine")
    with (
        pytest.raises(ValueError, match="b: exists already; overwrite=True"),
        files.all_replaced([tmp_path / "a", tmp_path / "b"]),
    ):
        pytest.fail("the block was entered")
    files.write_text(tmp_path / "b", "new", overwrite=True)
    assert (tmp_path / "b").read_text() == "new"


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path):
    with pytest.raises(ValueError, match="exists already"), files.replaced(tmp_path / "a") as temporary:
        temporary.write_text("ours")
        (tmp_path / "a").write_text("theirs")
    assert (tmp_path / "a").read_text() == "theirs" and names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_texts_are_utf_8_with_their_own_line_ends(tmp_path):
    files.write_text(tmp_path / "a", "α\n\r\nβ")
    assert (tmp_path / "a").read_bytes() == b"\xce\xb1\n\r\n\xce\xb2"


def test_json_keeps_the_order_of_its_keys(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": [1], "a": None})
    assert (tmp_path / "a.json").read_text() == '{\n "b": [\n  1\n ],\n "a": null\n}\n'
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1], "a": None}


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_come_back_as_they_were(tmp_path, compressed):
    arrays = {"a/b": np.arange(4, dtype=np.float16), "c": np.zeros((2, 0, 3), bool)}
    files.write_arrays(tmp_path / "a.npz", arrays, compressed=compressed)
    found = files.read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_that_need_a_pickle_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        files.write_arrays(tmp_path / "a.npz", {"a": np.array([object()])})
    assert names(tmp_path) == []
    np.savez(tmp_path / "b.npz", a=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        files.read_arrays(tmp_path / "b.npz")


def test_what_a_killed_process_left_half_is_not_found(tmp_path):
    for name in ("b.json", "a.json", ".a.0123abcd.tmp.json", "c.txt"):
        (tmp_path / name).write_text("{")
    assert [path.name for path in files.found(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert files.found(tmp_path / "nowhere", "*") == []


def test_leftovers_of_these_targets_go_and_nothing_else(tmp_path):
    killed = [files._temporary(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    for path in (*killed, tmp_path / ".a.old.tmp.png", tmp_path / "a.png"):
        path.touch()
    files.remove_leftovers([tmp_path / "a.png", tmp_path / "b.png"])
    assert names(tmp_path) == sorted([".a.old.tmp.png", "a.png", killed[2].name])
    files.remove_leftovers([tmp_path / "nowhere" / "a.png"])


LOCK_AND_WAIT = """
import sys, time
from pathlib import Path
from colorize_jax import files
with files.locked(Path(sys.argv[1]), "taken"):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_others_out_until_its_process_is_killed(tmp_path):
    path = tmp_path / "new" / ".lock"
    with subprocess.Popen([sys.executable, "-c", LOCK_AND_WAIT, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"locked"
        with pytest.raises(ValueError, match="taken"), files.locked(path, "taken"):
            pytest.fail("the block was entered")
        holder.kill()
    with files.locked(path, "taken"), pytest.raises(ValueError, match="taken"), files.locked(path, "taken"):
        pytest.fail("the block was entered twice")


LONG = "x" * 200


@pytest.mark.parametrize("name", [f"{LONG}.png", "é" * 120 + ".png", os.fsdecode(b"caf\xe9.png")])
def test_a_name_as_long_as_a_disk_has_is_written_and_its_leftovers_found(tmp_path, name):
    files.write_text(tmp_path / name, "whole")
    assert names(tmp_path) == [name]
    with files.replaced(tmp_path / name, overwrite=True) as temporary:
        temporary.touch()
        other = tmp_path / temporary.name.replace(temporary.name.split(".")[1], "another")
        other.touch()
        files.remove_leftovers([tmp_path / name])
        assert names(tmp_path) == sorted([name, other.name])
        temporary.write_text("again")


def test_a_long_name_has_leftovers_of_its_own(tmp_path):
    with files.replaced(tmp_path / f"{LONG}1.png") as temporary:
        temporary.touch()
        files.remove_leftovers([tmp_path / f"{LONG}2.png"])
        assert temporary.exists()


def test_names_are_shown_on_one_line():
    assert files.shown(os.fsdecode(b"caf\xe9\n.jpg")) == r"caf\xe9\x0a.jpg"
    assert files.shown(Path("größe 写真.jpg")) == "größe 写真.jpg"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_of_windows_is_read(tmp_path, encoding):
    (tmp_path / "text").write_bytes("größe\r\n".encode(encoding))
    assert files.read_text(tmp_path / "text") == "größe\r\n"


@pytest.mark.parametrize("content", ["größe".encode("utf-16-le"), b"\x89PNG\0\0", b"caf\xe9", b"\xff\xfea"])
def test_what_is_no_text_is_told(tmp_path, content):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(ValueError, match=r"text: not text.*; save it as UTF-8"):
        files.read_text(tmp_path / "text")
