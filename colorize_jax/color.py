"""sRGB <-> CIE Lab (D65, 2 degrees) <-> network units, and gamut mapping at fixed lightness and hue.

Every function takes NumPy or JAX arrays and returns the same kind, so that data workers never import jax.

| thing | range | unit |
|---|---|---|
| `rgb` | [0, 1] | gamma-encoded sRGB |
| `lab` | L* in [0, 100], a* and b* in about [-110, 110] | CIE Lab |
| lightness, network | [-1, 1] | `L* / 50 - 1` |
| colour field, network | [-1, 1] | `ab / 128` |
"""

from typing import Any

import numpy as np

AB_SCALE = 128.0
LIGHTNESS_HALF = 50.0

# IEC 61966-2-1 primaries; the white point is the sum of the rows, so that gray has a* = b* = 0 exactly.
_RGB_TO_XYZ = np.array(
    [
        [0.4123907992659593, 0.357584339383878, 0.1804807884018343],
        [0.21263900587151027, 0.715168678767756, 0.07219231536073371],
        [0.01933081871559182, 0.11919477979462598, 0.9505321522496607],
    ]
)
_WHITE = _RGB_TO_XYZ.sum(axis=1)
_RGB_TO_XYZ_RELATIVE = _RGB_TO_XYZ / _WHITE[:, None]
_XYZ_RELATIVE_TO_RGB = np.linalg.inv(_RGB_TO_XYZ_RELATIVE)
_EPSILON = (6 / 29) ** 3
_SLOPE = (29 / 6) ** 2 / 3  # of the linear part of CIE's f, 7.787...


def _namespace(array: Any) -> Any:
    return array.__array_namespace__()


def srgb_to_linear(rgb: Any) -> Any:
    """Gamma-encoded sRGB in [0, 1], any shape, to linear light (IEC 61966-2-1)."""
    xp = _namespace(rgb)
    return xp.where(rgb <= 0.04045, rgb / 12.92, ((xp.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Any) -> Any:
    """Linear light, any shape, to gamma-encoded sRGB; values below 0 stay linear and negative."""
    xp = _namespace(linear)
    return xp.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * xp.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )


def srgb_to_lab(rgb: Any) -> Any:
    """sRGB in [0, 1], shape (..., 3), to CIE Lab, same shape and precision."""
    return linear_to_lab(srgb_to_linear(rgb))


def linear_to_lab(linear: Any) -> Any:
    """Linear sRGB in [0, 1], shape (..., 3), to CIE Lab, same shape and precision."""
    xp = _namespace(linear)
    relative = linear @ xp.asarray(_RGB_TO_XYZ_RELATIVE.T, dtype=linear.dtype)
    root = _cube_root(xp, xp.maximum(relative, _EPSILON))
    f = xp.where(relative > _EPSILON, root, _SLOPE * relative + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return xp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _cube_root(xp: Any, positive: Any) -> Any:
    return xp.cbrt(positive) if hasattr(xp, "cbrt") else positive ** (1 / 3)


def lab_to_srgb(lab: Any) -> Any:
    """CIE Lab, shape (..., 3), to sRGB of the same shape, not clipped: values outside [0, 1] are out of gamut."""
    return linear_to_srgb(_lab_to_linear(lab))


def _lab_to_linear(lab: Any) -> Any:
    xp = _namespace(lab)
    y = (lab[..., 0] + 16) / 116
    f = xp.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    relative = xp.where(f > 6 / 29, f**3, (f - 4 / 29) / _SLOPE)
    return relative @ xp.asarray(_XYZ_RELATIVE_TO_RGB.T, dtype=lab.dtype)


def gamut_map(lab: Any, *, steps: int = 12) -> Any:
    """The most chromatic in-gamut colour of the same L* and hue; in-gamut colours come back unchanged.

    Clipping RGB channels instead would shift lightness and hue, which other colorizers show as false colour.

    Args:
      lab: CIE Lab, shape (..., 3), L* in [0, 100].
      steps: bisections of the chroma; 12 leave an error below 0.03 chroma units.

    Returns:
      CIE Lab of the same shape, inside the sRGB gamut up to 1e-4 in linear light.
    """
    xp = _namespace(lab)
    lightness, ab = lab[..., :1], lab[..., 1:]

    def inside(scale: Any) -> Any:
        linear = _lab_to_linear(xp.concatenate([lightness, ab * scale], axis=-1))
        return xp.all((linear >= -1e-4) & (linear <= 1 + 1e-4), axis=-1, keepdims=True)

    low, high = xp.zeros_like(lightness), xp.ones_like(lightness)
    kept = inside(high)
    for _ in range(steps):
        middle = (low + high) / 2
        ok = inside(middle)
        low, high = xp.where(ok, middle, low), xp.where(ok, high, middle)
    return xp.concatenate([lightness, xp.where(kept, ab, ab * low)], axis=-1)


def lab_to_srgb_bytes(lab: Any) -> np.ndarray:
    """CIE Lab, shape (..., 3), to gamut-mapped 8-bit sRGB of the same shape."""
    rgb = np.asarray(lab_to_srgb(gamut_map(lab)))
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def lightness_to_network(lightness: Any) -> Any:
    """CIE L* in [0, 100] to the networks' [-1, 1]."""
    return lightness / LIGHTNESS_HALF - 1


def network_to_lightness(lightness: Any) -> Any:
    """The networks' [-1, 1] to CIE L* in [0, 100]."""
    return (lightness + 1) * LIGHTNESS_HALF


def ab_to_network(ab: Any) -> Any:
    """CIE a*, b* to network units, [-1, 1]."""
    return ab / AB_SCALE


def network_to_ab(ab: Any) -> Any:
    """Network units, [-1, 1], to CIE a*, b*."""
    return ab * AB_SCALE


def network_to_lab(lightness: Any, ab: Any) -> Any:
    """Lightness (..., 1) and colour field (..., 2), both in network units, to CIE Lab (..., 3)."""
    xp = _namespace(ab)
    return xp.concatenate([network_to_lightness(lightness), network_to_ab(ab)], axis=-1)
