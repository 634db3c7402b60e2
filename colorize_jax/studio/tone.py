"""How much colour a version shows: what the user sets of each by two sliders, over all edits.

A message has `{"0": [0.5, 1.2]}` for strength 0.5 and saturation 1.2 of version 0; a version that is not named shows
all it has.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

MAX_SATURATION = 2.0


class Tone(NamedTuple):
    """The default changes no bit.

    Attributes:
      strength: of the model's own colours, in [0, 1]. Edits keep theirs: at 0 a version is gray where they say nothing.
      saturation: factor of a* and b* of the whole picture, in [0, `MAX_SATURATION`].
    """

    strength: float = 1.0
    saturation: float = 1.0

    def __str__(self) -> str:
        return f"strength {self.strength:g}, saturation {self.saturation:g}"


Tones = Mapping[int, Tone]
"""By versions, from 0; of those that are not here, the default."""

AS_THEY_ARE: Tones = MappingProxyType({})


def tone_of(tones: Tones, version: int) -> Tone:
    return tones.get(version, Tone())


def tones_of(value: Any, versions: int) -> dict[int, Tone]:
    """Tones as a message has them; `versions` is how many there are, gray among them.

    Raises:
      ValueError: another form, no such version, or a number out of range.
    """
    if not isinstance(value, Mapping):
        raise ValueError("tones is no object of [strength, saturation] by version")
    allowed = {str(version): version for version in range(versions)}
    for name in value:
        if name not in allowed:
            raise ValueError(f"tones has version {str(name)[:40]!r}; allowed are 0 to {versions - 1}")
    return {allowed[name]: _tone(pair, name) for name, pair in value.items()}


def _tone(pair: Any, name: str) -> Tone:
    bounds = (1.0, MAX_SATURATION)
    if not isinstance(pair, list) or len(pair) != len(bounds) or not all(map(_within, pair, bounds)):
        raise ValueError(
            f"tones[{name!r}] is no [strength, saturation]; allowed are 0 to 1, and 0 to {MAX_SATURATION:g}"
        )
    return Tone(*pair)


def _within(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
