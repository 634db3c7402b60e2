"""colorize-data, as a program."""

import subprocess
import sys

import mini_archives as archives

from colorize_jax.data import color_prior


def colorize_data(*arguments):
    command = [sys.executable, "-m", "colorize_jax.apps.data", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prepares_prints_and_does_it_once(tmp_path):
    source = archives.write_tar(tmp_path / "lfw.tgz", archives.lfw())
    flags = (f"--source={source}", f"--dir={tmp_path}", "--dataset=lfw_deepfunneled", "--test_images=3")
    first = colorize_data(*flags)
    assert first.returncode == 3, first.stderr  # without the corrupt photo
    assert "train       5 photos  split hash" in first.stdout
    assert "skipped 2 (1 corrupt, 1 gray)" in first.stdout
    assert "\n    Torn_Photo_0001.jpg: corrupt: " in first.stdout
    prior = tmp_path / "prior.npz"
    again = colorize_data(*flags, f"--color_prior={prior}", "--color_prior_images=2")
    assert again.returncode == 0
    assert again.stdout.startswith("already prepared")
    assert again.stdout.endswith(f"{first.stdout}wrote {prior}, the colours of 2 photos\n")
    assert {color_prior.read(prior, bins).sum() for bins in ("gamut", "grid")} == {2 * 64 * 64}


def test_a_mistake_is_one_line(tmp_path):
    result = colorize_data("--dataset=lfw_deepfunneled", f"--dir={tmp_path}")
    assert result.returncode == 1
    assert result.stderr.startswith("error: source: ")
    assert "68331da3eb755a505a502b5aacb3c201" in result.stderr
    assert result.stderr.count("\n") == 1
