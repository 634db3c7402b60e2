"""Which images cannot teach colour: those that do not decode, and gray ones. Both are skipped and listed."""

import numpy as np
from PIL import Image

from colorize_jax.data import transforms

_SIDE = 32  # the scale at which colour is looked for; JPEG decodes to it at a fraction of the price


def reason_to_skip(content: bytes, *, gray_tolerance: int = 16) -> str | None:
    """Why an encoded image is of no use for learning colour; None when it is.

    Args:
      content: the bytes of an image file.
      gray_tolerance: an image is gray when, scaled down, no pixel's channels differ by more, of 255. Measured on
        LFW: 40 photos stay below 9, the toned and noisy black-and-white ones reach 16 and rarely 34, and the
        palest colour photo has 35.

    Returns:
      'corrupt: ...' with the decoder's words, 'gray', or None.
    """
    try:
        image = transforms.decode(content, _SIDE)
    # Decoders raise whatever their parser stumbles over (struct.error, SyntaxError, zlib.error, ...); one bad
    # file among 100,000 must not stop the others, and it is listed.
    except Exception as error:
        return f"corrupt: {type(error).__name__}: {error}"
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    return "gray" if int(np.ptp(small, axis=-1).max()) <= gray_tolerance else None
