"""UT Zappos50K (Yu and Grauman 2014): 50,025 shoes on white, JPEG: the Shoes of Messaoud's supplement, Fig. 4."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from colorize_jax.data.archives import open_archive
from colorize_jax.data.builder import PhotoBuilder, StoredPhoto

_CATEGORIES = ("Boots", "Sandals", "Shoes", "Slippers")


class UtZappos50k(PhotoBuilder):
    """UT Zappos50K from `ut-zap50k-images-square.zip` or `ut-zap50k-images.zip`, or its folder; 1,000 test images.

    A photo is called by its path from its category on, such as `Boots/Ankle/Clarks/7798189.1.jpg`: the split is the
    same from either archive and from any folder that it is unpacked to.
    """

    TEST_IMAGES = 1000

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        with open_archive(self._source) as archive:
            photos = [
                StoredPhoto(own, None, partial(archive.read, name))
                for name in archive.names
                if (own := _from_category(name)) is not None
            ]
            if not photos:
                raise ValueError(
                    f"source: {self._source} has none of the folders {', '.join(_CATEGORIES)}; is it UT Zappos50K?"
                )
            yield photos


def _from_category(name: str) -> str | None:
    """The path from the category's folder on; None for a photo in none."""
    parts = PurePosixPath(name).parts
    places = [place for place, part in enumerate(parts[:-1]) if part in _CATEGORIES]
    return "/".join(parts[places[0] :]) if places else None
