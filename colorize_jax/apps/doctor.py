"""Tells what is installed, what it runs on, which models and data there are, and what is missing: `colorize-doctor`."""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import json
import platform
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from colorize_jax.apps import console
from colorize_jax.apps.data_dir import DIR
from colorize_jax.data import prepared

_PACKAGE = "colorize_jax"
_BASE = (
    "jax", "jaxlib", "flax", "numpy", "scipy", "pillow", "ml_collections", "absl-py", "jaxtyping", "filelock",
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Prints everything; 1 where photos cannot be coloured."""
    if arguments:
        raise ValueError(f"colorize-doctor takes flags only, not {arguments[0]!r}")
    sections = {
        "versions": version_lines(),
        "devices": device_lines(),
        "models": model_lines(),
        "extras": extra_lines(),
        f"data sets prepared in {DIR.value}": data_lines(Path(DIR.value)),
    }
    for title, lines in sections.items():
        print("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))
    missing = [name for name in _BASE if installed(name) is None]
    default = _default_model_error()
    print(f"photos can{'not' if missing or default else ''} be coloured here{default and f': {default}'}")
    return 1 if missing or default else 0


def version_lines() -> list[str]:
    """Python, the package, and what it needs."""
    own = f"{_PACKAGE} {installed(_PACKAGE) or '(not installed: run pip install . in its folder)'}"
    python = f"python {platform.python_version()} on {platform.platform()}"
    return [python, own, *(f"{name} {installed(name) or 'MISSING'}" for name in _BASE)]


def device_lines() -> list[str]:
    """JAX's backend and devices."""
    import jax

    try:
        return [f"backend {jax.default_backend()}", *(f"{d.id}: {d.device_kind}" for d in jax.devices())]
    except (RuntimeError, AssertionError) as error:  # no plugin, or one whose driver does not answer
        return [f"no device: {console.missing_device(error) or error}"]


def model_lines() -> list[str]:
    """The models that come with the package, with what they were trained on."""
    from colorize_jax import bundle

    lines = []
    for name in bundle.available():
        size = (bundle.WEIGHTS / name / "weights.npz").stat().st_size / 1e6
        try:
            provenance = json.loads((bundle.WEIGHTS / name / "provenance.json").read_text(encoding="utf-8"))
            told = [
                f"{key} {value}" for key, value in provenance.items() if isinstance(value, (str, int, float))
            ]
            lines.append(f"{name}: {size:.1f} MB; {', '.join(told)[:200]}")
        except (OSError, ValueError) as error:
            lines.append(f"{name}: {size:.1f} MB; DAMAGED provenance.json ({error})")
    return lines or ["none"]


def _default_model_error() -> str:
    from colorize_jax import bundle

    try:
        bundle.load_bundle("default")
    except ValueError as error:
        return str(error)
    return ""


def extra_lines() -> list[str]:
    """Each extra of the package, complete or with what is missing and the command that adds it."""
    if installed(_PACKAGE) is None:
        return [f"unknown: {_PACKAGE} is not installed"]
    lines = []
    for extra in metadata.metadata(_PACKAGE).get_all("Provides-Extra") or []:
        missing = sorted(set(missing_of(_PACKAGE, extra)))
        command = f"pip install '.[{extra}]' in its folder adds {', '.join(missing)}"
        lines.append(f"{extra}: {command if missing else 'installed'}")
    return lines


def missing_of(package: str, extra: str) -> Iterator[str]:
    """Distributions that an extra of an installed package asks for and that are absent; follows nested extras."""
    for requirement in metadata.requires(package) or []:
        head, _, marker = requirement.partition(";")
        if not re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker):
            continue
        match = re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?", head)
        if match is None or not _holds_here(marker):
            continue
        name, nested = match[1], match[2] or ""
        if installed(name) is None:
            yield name
            continue
        for inner in filter(None, re.split(r"[\s,]+", nested)):
            yield from missing_of(name, inner)


def _holds_here(marker: str) -> bool:
    """Whether the markers on the operating system, the only others in use below our extras, fit this machine."""
    wanted = re.search(r"(?:sys_platform|platform_system)\s*==\s*['\"](\w+)['\"]", marker)
    return wanted is None or wanted[1].lower() == platform.system().lower()


def installed(name: str) -> str | None:
    """Version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def data_lines(folder: Path) -> list[str]:
    """The data sets that `colorize-data` prepared in a folder."""
    return [_data_line(folder, name) for name in prepared.prepared_names(folder)] or ["none"]


def _data_line(folder: Path, name: str) -> str:
    try:
        images = prepared.summary(folder, name).images
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{name}: DAMAGED ({type(error).__name__}: {error})"
    return f"{name}: " + ", ".join(f"{split} {count:,} photos" for split, count in images.items())


def cli() -> NoReturn:
    """Entry point of the console script `colorize-doctor`."""
    common.run(main)


if __name__ == "__main__":
    cli()
