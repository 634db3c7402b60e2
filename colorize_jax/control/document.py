"""Colour edits as data: the JSON format, version 2, and what is wrong with a document that does not follow it.

    {"version": 2,
     "edits": [{"kind": "stroke", "path": [[120, 80], [180, 95]], "radius": 6, "color": "#b03a2e", "reach": "thing"}]}

| kind | fields | effect |
|---|---|---|
| `point` | `at`, `color`; `radius`, `strength`, `reach`, `exact` | a disc of this colour; without a radius a pixel |
| `stroke` | `path`, `radius`, `color`; `strength`, `reach`, `exact` | a round brush along the path; one point will do |
| `region` | `polygon`, `color`; `strength`, `reach` or `closed`, `exact` | the inside of a polygon (even-odd rule) |
| `link` | `regions`; `strength` | two polygons share one colour, whichever it is |
| `eraser` | `path` and `radius`, or `polygon` | takes away what the edits before it put there; links and locks stay |
| `lock` | `path` and `radius`, or `polygon` | keeps its pixels as the edits before it left them |

The pixel in column i and row j is the square [i, i + 1] x [j, j + 1]: its centre is at (i + 1/2, j + 1/2), the photo
spans [0, width] x [0, height], x to the right and y down. The integers (i, j) themselves name that pixel, too. A shape
covers the pixels whose centres it holds, and a point or a path also the pixels of its own vertices.

With `"units": "fraction"` x counts in widths, y in heights and radii in shorter sides, so that one file serves photos
of all sizes. `"size": [width, height]` pins a file to the photo that it was drawn on.

A `color` is `"#rrggbb"`, `"#rgb"`, `{"rgb": [r, g, b]}` from 0 to 255, or `{"lab": [L, a, b]}`. Only its a* and b*
count: the lightness stays the photo's. Later edits paint over earlier ones. An exact edit wins over any other, and
its pixels come out as given, with the chroma that the photo's lightness leaves; the others are evidence: `strength`
times as much as an edit of strength 1.

`reach` says how far a colour goes: from its `"spot"` alone, over the `"thing"` that its spot is part of, or over
everything `"alike"`, wherever it lies, which is the default. A region with `"closed": true` fills itself to its edge,
and changes no pixel outside of it.

Version 1 is read, too: it says `weight` for `strength`, and has neither `reach` nor `closed` nor locks.

`edits.schema.json` beside this file says the same as a JSON Schema. Nothing here needs more than NumPy.
"""

import json
import math
import numbers
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from colorize_jax import color, files

VERSION = 2
REACHES = ("alike", "thing", "spot")
"""In the order in which edits are answered: the nearer over the farther. The first is the default."""
UNITS = ("pixels", "fraction")
MAX_EDITS = 1000
MAX_POINTS = 20_000
"""Of all paths and polygons together."""
MAX_STRENGTH = 100.0
MAX_BYTES = 4_000_000
SCHEMA = Path(__file__).with_name("edits.schema.json")

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_Fields = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
_FIRST: _Fields = {  # of version 1; kind: (required, optional)
    "point": (("at", "color"), ("radius", "weight", "exact")),
    "stroke": (("path", "radius", "color"), ("weight", "exact")),
    "region": (("polygon", "color"), ("weight", "exact")),
    "link": (("regions",), ("weight",)),
    "eraser": ((), ("path", "radius", "polygon")),
}
_FIELDS: _Fields = {
    "point": (("at", "color"), ("radius", "strength", "reach", "exact")),
    "stroke": (("path", "radius", "color"), ("strength", "reach", "exact")),
    "region": (("polygon", "color"), ("strength", "reach", "closed", "exact")),
    "link": (("regions",), ("strength",)),
    "eraser": ((), ("path", "radius", "polygon")),
    "lock": ((), ("path", "radius", "polygon")),
}
_VERSIONS: dict[int, tuple[_Fields, str]] = {1: (_FIRST, "weight"), 2: (_FIELDS, "strength")}
"""The fields of each version, and what it calls the strength of an edit."""
KINDS = tuple(_FIELDS)


class EditError(ValueError):
    """An edit, or a file of edits, that cannot be used; the message is one line and names it."""


class Shape(NamedTuple):
    """A brush along a path, or, where `radius` is None, the inside of a polygon; in the units of its `Edits`."""

    points: Float64[np.ndarray, "K 2"]
    radius: float | None


class Edit(NamedTuple):
    """One edit.

    Attributes:
      kind: one of `KINDS`.
      shapes: two of a link, one of all others.
      ab: CIE a* and b*; None for a link, an eraser and a lock.
      strength: > 0; of a link at most 1.
      exact: its pixels come out in this colour.
      reach: one of `REACHES`.
      closed: of a region: nothing leaves it.
    """

    kind: str
    shapes: tuple[Shape, ...]
    ab: tuple[float, float] | None = None
    strength: float = 1.0
    exact: bool = False
    reach: str = REACHES[0]
    closed: bool = False


class EditDocument(NamedTuple):
    """A document: its edits, the units of their coordinates, and the (width, height) they belong to, if any."""

    edits: tuple[Edit, ...]
    units: str = "pixels"
    size: tuple[int, int] | None = None


def as_edits(
    source: EditDocument | Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str],
) -> EditDocument:
    """Edits from a file's path, a whole document, or a list of edits in pixels, which may still say `weight`.

    Raises:
      EditError: see `parse_edits` and `read_edits`.
    """
    if isinstance(source, EditDocument):
        return source
    if isinstance(source, (str, os.PathLike)):
        return read_edits(source)
    if isinstance(source, Mapping):
        return parse_edits(source)
    old = any(isinstance(edit, Mapping) and "weight" in edit for edit in source)
    return parse_edits({"version": 1 if old else VERSION, "edits": source})


def read_edits(path: str | os.PathLike[str]) -> EditDocument:
    """Reads a JSON file of edits.

    Raises:
      EditError: a file that is missing, larger than `MAX_BYTES` or no JSON, or whose content `parse_edits` refuses.
    """
    name = os.fspath(path)
    try:
        if os.path.getsize(name) > MAX_BYTES:
            raise EditError(f"{name}: {os.path.getsize(name):,} bytes; allowed are {MAX_BYTES:,}")
        document = json.loads(files.read_text(Path(name)), object_pairs_hook=_without_repeats)
        return parse_edits(document)
    except OSError as error:
        raise EditError(f"{name}: cannot be read ({error.strerror})") from error
    except EditError as error:
        raise error if str(error).startswith(f"{name}:") else EditError(f"{name}: {error}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise EditError(f"{name}: not a JSON file ({error})") from error
    except ValueError as error:  # no text
        raise EditError(str(error)) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise EditError(f"{_listed(repeated)} given twice in one object; keep one")
    return dict(pairs)


def parse_edits(document: Any) -> EditDocument:
    """A document, as JSON gives it, to edits; strict.

    Raises:
      EditError: naming the edit by index and kind, the field, its value and what is allowed.
    """
    _check_fields(document, "the document", ("version", "edits"), ("units", "size"))
    version = document["version"]
    if isinstance(version, bool) or version not in tuple(_VERSIONS):
        raise EditError(f"version is {version!r}; this program reads versions 1 and {VERSION}")
    units = document.get("units", "pixels")
    if units not in UNITS:
        raise EditError(f"units is {units!r}; allowed are {_listed(UNITS)}")
    listed = _list(document["edits"], "edits")
    if len(listed) > MAX_EDITS:
        raise EditError(f"edits has {len(listed):,} entries, too many; allowed are {MAX_EDITS:,}")
    edits = tuple(_edit(entry, index, *_VERSIONS[version]) for index, entry in enumerate(listed))
    points = sum(len(shape.points) for edit in edits for shape in edit.shapes)
    if points > MAX_POINTS:
        raise EditError(f"edits has {points:,} points in all, too many; allowed are {MAX_POINTS:,}")
    return EditDocument(edits, units, _size(document["size"]) if "size" in document else None)


def name_of(index: int, edit: Edit) -> str:
    """What errors call an edit."""
    return f"edits[{index}] ({edit.kind})"


def _size(value: Any) -> tuple[int, int]:
    numbers_ = [_number(side, f"size[{i}]") for i, side in enumerate(_list(value, "size"))]
    if len(numbers_) != 2 or any(side < 1 or side != int(side) for side in numbers_):
        raise EditError(f"size is {value!r}; allowed is [width, height] in whole pixels")
    return int(numbers_[0]), int(numbers_[1])


def _edit(entry: Any, index: int, fields: _Fields, strength: str) -> Edit:
    kind = entry.get("kind") if isinstance(entry, Mapping) else None
    if not isinstance(kind, str) or kind not in fields:
        raise EditError(f"edits[{index}]: its kind is {kind!r}; allowed are {_listed(tuple(fields))}")
    where = f"edits[{index}] ({kind})"
    required, optional = fields[kind]
    _check_fields(entry, where, ("kind", *required), optional)
    if kind == "link":
        return Edit(kind, _regions(entry["regions"], where), strength=_strength(entry, where, strength, 1.0))
    shape = _shape(entry, where)
    if "color" not in required:
        return Edit(kind, (shape,))
    exact, closed = (_flag(entry, where, name) for name in ("exact", "closed"))
    if exact and strength in entry:
        raise EditError(
            f"{where}: an exact edit has no {strength}, it contradicts itself; leave out one of the two"
        )
    if closed and "reach" in entry:
        raise EditError(
            f"{where}: what is closed has no reach, it contradicts itself; leave out one of the two"
        )
    amount = _strength(entry, where, strength, MAX_STRENGTH)
    return Edit(kind, (shape,), _ab(entry["color"], where), amount, exact, _reach(entry, where), closed)


def _flag(entry: Mapping[str, Any], where: str, name: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise EditError(f"{where}: {name} is {value!r}; allowed are true and false")
    return value


def _reach(entry: Mapping[str, Any], where: str) -> str:
    reach = entry.get("reach", REACHES[0])
    if not isinstance(reach, str) or reach not in REACHES:
        raise EditError(f"{where}: reach is {_shown(reach)}; allowed are {_listed(REACHES)}")
    return reach


def _check_fields(entry: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(entry, Mapping):
        raise EditError(f"{where} is {_shown(entry)}; allowed is an object with {_listed(required)}")
    unknown = [str(name) for name in entry if name not in (*required, *optional)]
    if unknown:
        raise EditError(
            f"{where}: unknown field {_listed(unknown)}; allowed are {_listed((*required, *optional))}"
        )
    missing = [name for name in required if name not in entry]
    if missing:
        raise EditError(f"{where}: the field {_listed(missing)} is missing")


def _shape(entry: Mapping[str, Any], where: str) -> Shape:
    given = [name for name in ("at", "path", "polygon") if name in entry]
    if len(given) != 1:
        raise EditError(f"{where}: it has {_listed(given) or 'no shape'}; allowed is a path or a polygon")
    if given == ["polygon"]:
        if "radius" in entry:
            raise EditError(f"{where}: a polygon has no radius; leave it out, or draw a path")
        return _polygon(entry["polygon"], f"{where}: polygon")
    if given == ["at"]:
        points = np.array([_position(entry["at"], f"{where}: at")])
        return Shape(points, _radius(entry.get("radius", 0), where))
    if "radius" not in entry:
        raise EditError(f"{where}: the field radius is missing; a path has one")
    return Shape(_positions(entry["path"], f"{where}: path", least=1), _radius(entry["radius"], where))


def _regions(value: Any, where: str) -> tuple[Shape, ...]:
    pair = _list(value, f"{where}: regions")
    if len(pair) != 2:
        raise EditError(f"{where}: regions has {len(pair)} polygons; allowed are two")
    return tuple(_polygon(polygon, f"{where}: regions[{i}]") for i, polygon in enumerate(pair))


def _polygon(value: Any, where: str) -> Shape:
    return Shape(_positions(value, where, least=3), None)


def _positions(value: Any, where: str, *, least: int) -> np.ndarray:
    listed = _list(value, where)
    if len(listed) < least:
        raise EditError(f"{where} has {len(listed)} points; allowed are at least {least}")
    if len(listed) > MAX_POINTS:
        raise EditError(f"{where} has {len(listed):,} points, too many; allowed are {MAX_POINTS:,}")
    return np.array([_position(point, f"{where}[{i}]") for i, point in enumerate(listed)])


def _position(value: Any, where: str) -> tuple[float, float]:
    pair = _list(value, where)
    if len(pair) != 2:
        raise EditError(f"{where} is {_shown(value)}; allowed is [x, y]")
    return _number(pair[0], f"{where}[0]"), _number(pair[1], f"{where}[1]")


def _radius(value: Any, where: str) -> float:
    radius = _number(value, f"{where}: radius")
    if radius < 0:
        raise EditError(f"{where}: radius is {radius:g}; allowed are numbers from 0")
    return radius


def _strength(entry: Mapping[str, Any], where: str, name: str, most: float) -> float:
    value = _number(entry.get(name, 1.0), f"{where}: {name}")
    if not 0 < value <= most:
        raise EditError(f"{where}: {name} is {value:g}; allowed are numbers above 0 up to {most:g}")
    return value


def _ab(value: Any, where: str) -> tuple[float, float]:
    """CIE a* and b* of a colour of the format."""
    if isinstance(value, str) and _HEX.fullmatch(value):
        digits = value[1:] if len(value) == 7 else "".join(2 * digit for digit in value[1:])
        return _ab_of_rgb([int(digits[i : i + 2], 16) for i in (0, 2, 4)])
    if isinstance(value, Mapping) and list(value) == ["rgb"]:
        return _ab_of_rgb(_triple(value["rgb"], f"{where}: color.rgb", ((0, 255),) * 3))
    if isinstance(value, Mapping) and list(value) == ["lab"]:
        _, a, b = _triple(value["lab"], f"{where}: color.lab", ((0, 100), (-128, 128), (-128, 128)))
        return a, b
    raise EditError(
        f"{where}: color is {_shown(value)}; allowed are #rrggbb, #rgb, {{'rgb': [r, g, b]}} and "
        "{'lab': [L, a, b]}"
    )


def _ab_of_rgb(rgb: Sequence[float | int]) -> tuple[float, float]:
    _, a, b = color.srgb_to_lab(np.array(rgb, np.float64) / 255).tolist()
    return a, b


def _triple(value: Any, where: str, ranges: tuple[tuple[int, int], ...]) -> list[float]:
    values = [_number(each, f"{where}[{i}]") for i, each in enumerate(_list(value, where))]
    if len(values) != 3 or not all(
        low <= each <= high for each, (low, high) in zip(values, ranges, strict=True)
    ):
        allowed = ", ".join(f"{low} to {high}" for low, high in ranges)
        raise EditError(f"{where} is {_shown(value)}; allowed are three numbers, {allowed}")
    return values


def _list(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        raise EditError(f"{where} is {_shown(value)}; allowed is a list")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise EditError(f"{where} is {_shown(value)}; allowed are finite numbers")
    return float(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
