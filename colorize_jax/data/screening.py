"""Which images cannot teach colour: those that do not decode, and gray ones. Both are skipped and listed."""

import io

import numpy as np
from PIL import Image

_SIDE = 32  # the scale at which colour is looked for; JPEG decodes to it at a fraction of the price
_GRAY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L")


def reason_to_skip(content: bytes, *, gray_tolerance: int = 8) -> str | None:
    """Why an encoded image is of no use for learning colour; None when it is.

    Args:
      content: the bytes of an image file.
      gray_tolerance: an image is gray when, scaled down, no pixel's channels differ by more, of 255. JPEG noise
        on scanned gray photos stays below 8; the palest colour photos of LFW are far above.

    Returns:
      'corrupt: ...' with the decoder's words, 'gray', or None.
    """
    try:
        image = Image.open(io.BytesIO(content))
        if image.mode in _GRAY_MODES:
            image.load()
            return "gray"
        image.draft("RGB", (_SIDE, _SIDE))
        small = np.asarray(image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX))
    # Decoders raise whatever their parser stumbles over (struct.error, SyntaxError, zlib.error, ...); one bad
    # file among 100,000 must not stop the others, and it is listed.
    except Exception as error:
        return f"corrupt: {type(error).__name__}: {error}"
    return "gray" if int(np.ptp(small, axis=-1).max()) <= gray_tolerance else None
