"""The edits' format: parser and JSON Schema agree; every mistake names the edit and the reason."""

import copy
import json

import jsonschema
import numpy as np
import pytest

from colorize_jax import color
from colorize_jax.control.document import (
    MAX_EDITS,
    MAX_POINTS,
    SCHEMA,
    EditError,
    as_edits,
    parse_edits,
    read_edits,
)

pytestmark = pytest.mark.quick

SQUARE = [[1, 1], [5, 1], [5, 5], [1, 5]]
FAR = [[7, 7], [9, 7], [9, 9]]
GOOD = {
    "version": 1,
    "size": [20, 10],
    "units": "pixels",
    "edits": [
        {"kind": "point", "at": [3, 4], "color": "#f00"},
        {"kind": "point", "at": [3.5, 4.5], "radius": 2, "color": "#ff0000", "weight": 0.5},
        {"kind": "stroke", "path": [[1, 1], [5, 5]], "radius": 2, "color": {"rgb": [255, 0, 0]}},
        {"kind": "region", "polygon": SQUARE, "color": {"lab": [50, 20, -30]}, "exact": True},
        {"kind": "link", "regions": [SQUARE, FAR], "weight": 1},
        {"kind": "eraser", "path": [[2, 2]], "radius": 1},
        {"kind": "eraser", "polygon": SQUARE},
    ],
}
SECOND = {
    "version": 2,
    "edits": [
        {"kind": "point", "at": [3, 4], "color": "#f00", "strength": 0.5, "reach": "spot"},
        {"kind": "stroke", "path": [[1, 1], [5, 5]], "radius": 2, "color": "#f00", "reach": "thing"},
        {"kind": "region", "polygon": SQUARE, "color": "#f00", "closed": True},
        {"kind": "region", "polygon": SQUARE, "color": "#f00", "closed": False, "reach": "alike"},
        {"kind": "link", "regions": [SQUARE, FAR], "strength": 0.5},
        {"kind": "lock", "polygon": SQUARE},
        {"kind": "lock", "path": [[2, 2]], "radius": 1},
    ],
}
SCHEMA_OF_FORMAT = json.loads(SCHEMA.read_text())


def test_what_a_document_says_arrives():
    parsed = parse_edits(GOOD)
    assert (parsed.size, parsed.units) == ((20, 10), "pixels")
    assert [edit.kind for edit in parsed.edits] == [entry["kind"] for entry in GOOD["edits"]]
    red = color.srgb_to_lab(np.array([1.0, 0, 0]))[1:]
    for edit in parsed.edits[:3]:
        np.testing.assert_allclose(edit.ab, red)
    assert parsed.edits[3].ab == (20, -30) and parsed.edits[3].exact
    assert parsed.edits[1].strength == 0.5 and parsed.edits[1].shapes[0].radius == 2
    assert parsed.edits[0].shapes[0].radius == 0 and parsed.edits[3].shapes[0].radius is None
    np.testing.assert_array_equal(parsed.edits[4].shapes[1].points, FAR)


def test_strength_reach_closed_areas_and_locks_are_of_version_2():
    point, stroke, closed, hint, link, *locks = parse_edits(SECOND).edits
    assert (point.strength, link.strength) == (0.5, 0.5)
    assert [edit.reach for edit in (point, stroke, hint)] == ["spot", "thing", "alike"]
    assert closed.closed and not hint.closed
    assert [lock.shapes[0].radius for lock in locks] == [None, 1]


@pytest.mark.parametrize("document", [GOOD, SECOND], ids=["1", "2"])
def test_the_good_documents_fit_the_schema(document):
    jsonschema.Draft202012Validator.check_schema(SCHEMA_OF_FORMAT)
    jsonschema.Draft202012Validator(SCHEMA_OF_FORMAT).validate(document)


def _point(**fields):
    return {"kind": "point", "at": [3, 4], "color": "#f00", **fields}


BAD_EDITS = [
    ("red", r"edits\[1\]: its kind is None; allowed are point, stroke"),
    ({"at": [1, 2]}, r"edits\[1\]: its kind is None"),
    ({"kind": "dot"}, r"edits\[1\]: its kind is 'dot'"),
    (_point(colour="#f00"), r"edits\[1\] \(point\): unknown field colour; allowed are kind, at, color"),
    ({"kind": "point", "at": [3, 4]}, r"\(point\): the field color is missing"),
    (_point(at=[3]), r"at is \[3\]; allowed is \[x, y\]"),
    (_point(at="3,4"), r"at is '3,4'; allowed is a list"),
    (_point(at=[3, "4"]), r"at\[1\] is '4'; allowed are finite numbers"),
    (_point(at=[3, True]), r"at\[1\] is True"),
    (_point(radius=-1), r"radius is -1; allowed are numbers from 0"),
    (_point(weight=0), r"weight is 0; allowed are numbers above 0 up to 100"),
    (_point(weight=101), r"weight is 101"),
    (_point(exact="yes"), r"exact is 'yes'; allowed are true and false"),
    (_point(exact=True, weight=2), r"an exact edit has no weight, it contradicts itself"),
    (_point(color="red"), r"color is 'red'; allowed are #rrggbb"),
    (_point(color="#ff000"), r"color is '#ff000'"),
    (_point(color={"rgb": [0, 0, 256]}), r"color.rgb is \[0, 0, 256\]"),
    (_point(color={"rgb": [0, 0]}), r"three numbers, 0 to 255"),
    (_point(color={"lab": [101, 0, 0]}), r"color.lab is .* 0 to 100, -128 to 128"),
    (_point(color={"rgb": [0, 0, 0], "lab": [0, 0, 0]}), r"color is \{"),
    ({"kind": "stroke", "path": [], "radius": 2, "color": "#f00"}, r"\(stroke\): path has 0 points"),
    ({"kind": "stroke", "path": [[1, 1]], "color": "#f00"}, r"the field radius is missing"),
    ({"kind": "region", "polygon": SQUARE[:2], "color": "#f00"}, r"polygon has 2 points; allowed .* 3"),
    ({"kind": "link", "regions": [SQUARE]}, r"\(link\): regions has 1 polygons; allowed are two"),
    ({"kind": "link", "regions": [SQUARE, FAR], "weight": 2}, r"weight is 2; .* up to 1"),
    ({"kind": "link", "regions": [SQUARE, FAR], "color": "#f00"}, r"unknown field color"),
    ({"kind": "eraser"}, r"\(eraser\): it has no shape"),
    ({"kind": "eraser", "path": [[2, 2]]}, r"the field radius is missing"),
    ({"kind": "eraser", "polygon": SQUARE, "radius": 1}, r"a polygon has no radius"),
    ({"kind": "eraser", "polygon": SQUARE, "path": [[2, 2]], "radius": 1}, r"it has path, polygon"),
]
BAD_SECOND = [
    (_point(weight=1), r"unknown field weight; allowed are .* strength, reach"),
    (_point(strength=0), r"strength is 0; allowed are numbers above 0 up to 100"),
    (_point(reach="far"), r"reach is 'far'; allowed are alike, thing, spot"),
    (_point(reach=["spot"]), r"reach is \['spot'\]"),
    (_point(closed=True), r"unknown field closed"),
    (_point(exact=True, strength=2), r"an exact edit has no strength"),
    ({"kind": "region", "polygon": SQUARE, "color": "#f00", "closed": 1}, r"closed is 1; allowed are true"),
    (
        {"kind": "region", "polygon": SQUARE, "color": "#f00", "closed": True, "reach": "spot"},
        r"what is closed has no reach",
    ),
    ({"kind": "lock"}, r"\(lock\): it has no shape"),
    ({"kind": "lock", "polygon": SQUARE, "color": "#f00"}, r"unknown field color"),
]
BAD_DOCUMENTS = [
    ([], "the document is"),
    ({"edits": []}, "the field version is missing"),
    ({"version": 3, "edits": []}, "version is 3; this program reads versions 1 and 2"),
    ({"version": 1, "edits": [_point(reach="spot")]}, "unknown field reach"),
    ({"version": 1, "edits": [{"kind": "lock", "polygon": SQUARE}]}, "its kind is 'lock'"),
    ({"version": 1, "edits": {}}, "edits is {}; allowed is a list"),
    ({"version": 1, "edits": [], "unit": "pixels"}, "unknown field unit; allowed are version, edits, units"),
    ({"version": 1, "edits": [], "units": "inch"}, "units is 'inch'; allowed are pixels, fraction"),
    ({"version": 1, "edits": [], "size": [20]}, r"size is \[20\]; allowed is"),
    ({"version": 1, "edits": [], "size": [20, 1.5]}, "size is"),
    ({"version": 1, "edits": [_point()] * (MAX_EDITS + 1)}, "1,001 entries, too many; allowed are 1,000"),
]
BAD_DOCUMENTS += [({"version": 1, "edits": [_point(), bad]}, message) for bad, message in BAD_EDITS]
BAD_DOCUMENTS += [({"version": 2, "edits": [_point(), bad]}, message) for bad, message in BAD_SECOND]


@pytest.mark.parametrize(("document", "message"), BAD_DOCUMENTS)
def test_mistakes_name_the_edit_and_the_reason_and_the_schema_refuses_them_too(document, message):
    with pytest.raises(EditError, match=message):
        parse_edits(document)
    assert not jsonschema.Draft202012Validator(SCHEMA_OF_FORMAT).is_valid(document)


def test_numbers_that_json_does_not_have_and_too_many_points_are_refused():
    with pytest.raises(EditError, match=r"at\[0\] is nan"):
        as_edits([_point(at=[float("nan"), 1])])
    stroke = {"kind": "stroke", "radius": 1, "color": "#f00", "path": [[1, 1]] * (MAX_POINTS // 2 + 1)}
    with pytest.raises(EditError, match="20,002 points in all, too many; allowed are 20,000"):
        as_edits([stroke, stroke])


def test_files_and_python_values_are_read_alike(tmp_path):
    path = tmp_path / "edits.json"
    path.write_text(json.dumps({"version": 1, "edits": GOOD["edits"]}))
    listed = copy.deepcopy(GOOD["edits"])
    listed[2]["path"] = np.array(listed[2]["path"])
    listed[0]["at"] = tuple(np.float32(v) for v in listed[0]["at"])
    assert [e.kind for e in as_edits(path).edits] == [e.kind for e in as_edits(listed).edits]
    np.testing.assert_array_equal(
        as_edits(str(path)).edits[2].shapes[0].points, as_edits(listed).edits[2].shapes[0].points
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_windows_is_read(tmp_path, encoding):
    path = tmp_path / "edits.json"
    path.write_bytes('{"version": 1,\r\n "edits": []}\r\n'.encode(encoding))
    assert read_edits(path).edits == ()
    path.write_bytes('{"version": 1, "edits": []}'.encode("utf-16-le"))
    with pytest.raises(
        EditError, match=r"edits\.json: not text, or UTF-16 without its byte order mark; save it"
    ):
        read_edits(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON file"),
        ('{"version": 1, "edits": [{"kind": "dot"}]}', r"edits\[0\]: its kind is 'dot'"),
        ('{"version": 1, "version": 1, "edits": []}', "version given twice in one object"),
        ("[" * 100_000, "not a JSON file"),
        (" " * 4_000_001, "4,000,001 bytes; allowed are 4,000,000"),
    ],
)
def test_a_broken_file_is_named_once(tmp_path, text, message):
    path = tmp_path / "edits.json"
    path.write_text(text)
    with pytest.raises(EditError, match=message) as raised:
        read_edits(path)
    assert str(raised.value).count(str(path)) == 1
    with pytest.raises(EditError, match=r"none\.json: cannot be read \(No such file"):
        read_edits(tmp_path / "none.json")
