"""Messages are read strictly, and frames come out as they went in."""

import json

import numpy as np
import pytest

from colorize_jax.studio import protocol
from colorize_jax.studio.tone import Tone, tone_of

pytestmark = pytest.mark.quick

DOCUMENT = {"version": 1, "edits": []}


def test_a_message_is_read():
    text = json.dumps({"type": "edits", "id": 7, "version": 2, "document": DOCUMENT})
    message = protocol.parse(text, 3)
    assert (message.kind, message.id, message.version) == ("edits", 7, 2)
    assert message.edits().edits == () and message.tones == {}


def test_tones_are_read_by_version():
    text = json.dumps(
        {"type": "edits", "id": 7, "tones": {"2": [0.5, 1.5], "0": [1, 0]}, "document": DOCUMENT}
    )
    tones = protocol.parse(text, 3).tones
    assert tones == {2: Tone(0.5, 1.5), 0: Tone(1, 0)}
    assert tone_of(tones, 1) == Tone(1, 1)


@pytest.mark.parametrize(
    ("text", "told", "id"),
    [
        ("", "not JSON", None),
        ("{", "not JSON", None),
        ("[" * 100_000, "not JSON", None),
        ("9" * 10_000, "not JSON", None),
        ("[]", "a list", None),
        ("{}", "id", None),
        ('{"id": true}', "id", None),
        ('{"id": -1}', "id", None),
        ('{"id": 1}', "type is 'None'", 1),
        ('{"id": 1, "type": ["edits"]}', "type is", 1),
        ('{"id": 1, "type": "edits"}', "document", 1),
        ('{"id": 1, "type": "edits", "document": {}, "version": 3}', "0 to 2", 1),
        ('{"id": 1, "type": "edits", "document": {}, "version": 1.0}', "0 to 2", 1),
        ('{"id": 1, "type": "explain", "document": {}, "suggestions": 1e9}', "1 to 12", 1),
        ('{"id": 1, "type": "window", "document": {}, "box": [0, 0, 1]}', "box is no", 1),
        ('{"id": 1, "type": "window", "document": {}, "box": [0, 0, 0, 9]}', "box is no", 1),
        (
            '{"id": 1, "type": "window", "document": {}, "box": [0, 0, 9000, 9000]}',
            "more than the 16,000,000",
            1,
        ),
        ('{"id": 1, "type": "window", "document": {}, "box": [0, 0, 9, 9], "level": 13}', "0 to 12", 1),
        ('{"id": 1, "type": "edits", "document": {}, "tones": []}', "tones is no object", 1),
        ('{"id": 1, "type": "edits", "document": {}, "tones": {"3": [1, 1]}}', "version '3'", 1),
        ('{"id": 1, "type": "edits", "document": {}, "tones": {"0": [1.1, 1]}}', "0 to 1, and 0 to 2", 1),
        ('{"id": 1, "type": "edits", "document": {}, "tones": {"0": [1, NaN]}}', "0 to 1, and 0 to 2", 1),
        ('{"id": 1, "type": "edits", "document": {}, "tones": {"0": [true, 1]}}', "0 to 1, and 0 to 2", 1),
        ('{"id": 1, "type": "edits", "document": {}, "tones": {"0": [1]}}', "0 to 1, and 0 to 2", 1),
        (" " * 4_000_001, "4,000,001", None),
    ],
)
def test_mistakes_are_told_with_the_messages_id(text, told, id):
    with pytest.raises(protocol.MessageError, match=told) as raised:
        protocol.parse(text, 3)
    assert raised.value.id == id


def test_frames_are_unpacked_as_they_were_packed():
    rng = np.random.default_rng(0)
    arrays = {
        "bytes": rng.integers(0, 255, (3, 5), dtype=np.uint8),
        "fields": rng.normal(size=(2, 3)).astype(np.float32),
        "ints": rng.integers(-9, 9, 7).astype(np.int16),
    }
    header, found = protocol.unpack(protocol.pack({"type": "fields", "id": 3}, arrays))
    assert header == {"type": "fields", "id": 3} and list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_types_that_the_page_does_not_know_are_refused():
    with pytest.raises(ValueError, match="float64"):
        protocol.pack({}, {"x": np.zeros(2)})
