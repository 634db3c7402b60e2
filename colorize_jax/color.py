"""sRGB <-> CIE Lab (D65, 2 degrees) <-> network units, and gamut mapping at fixed lightness and hue.

Every function takes NumPy or JAX arrays and returns the same kind, so that data workers never import jax.

| thing | range | unit |
|---|---|---|
| `rgb` | [0, 1] | gamma-encoded sRGB |
| `lab` | L* in [0, 100], a* and b* in about [-110, 110] | CIE Lab |
| lightness, network | [-1, 1] | `L* / 50 - 1` |
| colour field, network | [-1, 1] | `ab / 128` |
"""

import functools
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
_WHITE = _RGB_TO_XYZ.sum(axis=1)  # Y = 1
_RGB_TO_XYZ_RELATIVE = _RGB_TO_XYZ / _WHITE[:, None]
_XYZ_RELATIVE_TO_RGB = np.linalg.inv(_RGB_TO_XYZ_RELATIVE)
# ICC.1:2022, annex E: Bradford's cone responses, and the white of the space that profiles meet in, D50.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])
_FROM_D50 = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _WHITE) / (_BRADFORD @ _D50)) @ _BRADFORD
_D50_TO_RGB = np.linalg.inv(_RGB_TO_XYZ) @ _FROM_D50
_EPSILON = (6 / 29) ** 3
_SLOPE = (29 / 6) ** 2 / 3  # of the linear part of CIE's f, 7.787...
_BISECTIONS = 12
_LEVELS = 65535
_TOLERANCE = 1e-4  # of the gamut, in linear light: less than half an 8-bit level even next to black


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
    f = _cie_f(linear @ xp.asarray(_RGB_TO_XYZ_RELATIVE.T, dtype=linear.dtype))
    return xp.stack(_lab_planes(f[..., 0], f[..., 1], f[..., 2]), axis=-1)


def linear_planes_to_lab(linear: Any) -> tuple[Any, Any, Any]:
    """Planes (3, N) of linear sRGB in [0, 1] to the planes L*, a* and b*: twice as fast in NumPy."""
    x, y, z = _cie_f(_weighted_planes(_RGB_TO_XYZ_RELATIVE, linear))
    return _lab_planes(x, y, z)


def linear_planes_to_lightness(linear: Any) -> Any:
    """Planes (3, N) of linear sRGB in [0, 1] to the plane L*: a third of the work of `linear_planes_to_lab`."""
    return luminance_to_lightness(_weighted_planes(_RGB_TO_XYZ_RELATIVE[1], linear))


def _weighted_planes(weights: np.ndarray, planes: Any) -> Any:
    # Not `@`: for long planes BLAS starts threads, and their waiting in a loop costs more than the product.
    xp = _namespace(planes)
    return xp.einsum("...j,jk->...k", xp.asarray(weights, dtype=planes.dtype), planes)


def _lab_planes(x: Any, y: Any, z: Any) -> tuple[Any, Any, Any]:
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def linear_to_lightness(linear: Any) -> Any:
    """Linear sRGB in [0, 1], shape (..., 3), to CIE L* (..., 1): a third of the work of `linear_to_lab`."""
    xp = _namespace(linear)
    return luminance_to_lightness(linear @ xp.asarray(_RGB_TO_XYZ_RELATIVE.T[:, 1:2], dtype=linear.dtype))


def luminance_to_lightness(luminance: Any) -> Any:
    """Relative luminance Y in [0, 1], any shape, to CIE L*; of a gray, Y is its linear light."""
    return 116 * _cie_f(luminance) - 16


def _cie_f(relative: Any) -> Any:
    xp = _namespace(relative)
    # Below epsilon CIE continues the cube root by its tangent there.
    return _cube_root(xp, xp.maximum(relative, _EPSILON)) + _SLOPE * xp.minimum(relative - _EPSILON, 0)


def _cube_root(xp: Any, positive: Any) -> Any:
    return xp.cbrt(positive) if hasattr(xp, "cbrt") else positive ** (1 / 3)


def lab_to_srgb(lab: Any) -> Any:
    """CIE Lab, shape (..., 3), to sRGB of the same shape, not clipped: values outside [0, 1] are out of gamut."""
    return linear_to_srgb(_lab_to_linear(lab))


def _lab_to_linear(lab: Any) -> Any:
    xp = _namespace(lab)
    y = (lab[..., 0] + 16) / 116
    f = xp.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    return _cie_f_inverse(f) @ xp.asarray(_XYZ_RELATIVE_TO_RGB.T, dtype=lab.dtype)


def _cie_f_inverse(f: Any) -> Any:
    # NumPy's f**3 calls pow, which is ten times as slow.
    return _namespace(f).where(f > 6 / 29, f * f * f, (f - 4 / 29) / _SLOPE)


def gamut_map(lab: Any, *, steps: int = _BISECTIONS) -> Any:
    """The most chromatic in-gamut colour of the same L* and hue; in-gamut colours come back unchanged.

    Clipping RGB channels instead would shift lightness and hue, which other colorizers show as false colour.

    Args:
      lab: CIE Lab, shape (..., 3), L* in [0, 100].
      steps: bisections of the chroma; 12 leave an error below 0.03 chroma units.

    Returns:
      CIE Lab of the same shape, inside the sRGB gamut up to 1e-4 in linear light.
    """
    outside = ~_in_gamut(_lab_to_linear(lab))
    if not isinstance(lab, np.ndarray):
        return _namespace(lab).where(outside[..., None], _with_less_chroma(lab, steps), lab)
    mapped = lab.copy()
    mapped[outside] = _with_less_chroma(lab[outside], steps)
    return mapped


def _in_gamut(linear: Any) -> Any:
    inside = (linear >= -_TOLERANCE) & (linear <= 1 + _TOLERANCE)
    return inside[..., 0] & inside[..., 1] & inside[..., 2]


def _with_less_chroma(lab: Any, steps: int) -> Any:
    """Out-of-gamut Lab to the most chromatic Lab in gamut, by bisection of the factor of a* and b*.

    Y depends on L* alone, so it is computed once. With that, and on planes, a step of the bisection costs a fifth of a
    whole conversion.
    """
    xp = _namespace(lab)
    f_y, f_x, f_z = (lab[..., 0] + 16) / 116, lab[..., 1] / 500, lab[..., 2] / -200
    rows = [tuple(float(v) for v in row) for row in _XYZ_RELATIVE_TO_RGB]
    constants = [row[1] * _cie_f_inverse(f_y) for row in rows]
    low, high = xp.zeros_like(f_y), xp.ones_like(f_y)
    for _ in range(steps):
        middle = (low + high) / 2
        x, z = _cie_f_inverse(f_y + middle * f_x), _cie_f_inverse(f_y + middle * f_z)
        red, green, blue = (row[0] * x + row[2] * z + y for row, y in zip(rows, constants, strict=True))
        least = xp.minimum(xp.minimum(red, green), blue)
        most = xp.maximum(xp.maximum(red, green), blue)
        inside = (least >= -_TOLERANCE) & (most <= 1 + _TOLERANCE)
        low, high = xp.where(inside, middle, low), xp.where(inside, high, middle)
    return xp.concatenate([lab[..., :1], lab[..., 1:] * low[..., None]], axis=-1)


def lab_to_srgb_bytes(lab: Any) -> np.ndarray:
    """CIE Lab, shape (..., 3), to gamut-mapped 8-bit sRGB of the same shape."""
    return _linear_to_bytes()[(_lab_in_gamut(lab).clip(0, 1) * _LEVELS + 0.5).astype(np.uint16)]


def lab_to_srgb_words(lab: Any) -> np.ndarray:
    """CIE Lab, shape (..., 3), to gamut-mapped 16-bit sRGB of the same shape."""
    return linear_to_srgb_words(_lab_in_gamut(lab))


def _lab_in_gamut(lab: Any) -> np.ndarray:
    """CIE Lab to gamut-mapped linear sRGB."""
    lab = np.asarray(lab)
    linear: np.ndarray = _lab_to_linear(lab)
    outside = ~_in_gamut(linear)
    linear[outside] = _lab_to_linear(_with_less_chroma(lab[outside], _BISECTIONS))
    return linear


def linear_to_srgb_words(linear: np.ndarray) -> np.ndarray:
    """Linear light, any shape, clipped to [0, 1], to gamma-encoded 16-bit sRGB; right to one level."""
    # By the root, whose steps next to black are as fine as those of sRGB.
    return _root_to_words()[(np.sqrt(linear.clip(0, 1)) * _LEVELS + 0.5).astype(np.uint16)]


@functools.cache
def _root_to_words() -> np.ndarray:
    return np.round(linear_to_srgb((np.arange(_LEVELS + 1) / _LEVELS) ** 2) * _LEVELS).astype(np.uint16)


def d50_to_linear(xyz: np.ndarray) -> np.ndarray:
    """CIE XYZ of ICC's connection space (D50, Y of white 1), shape (..., 3), to linear sRGB, not clipped."""
    linear: np.ndarray = xyz @ _D50_TO_RGB.T.astype(xyz.dtype)
    return linear


def primaries_to_d50(chromaticities: np.ndarray) -> np.ndarray:
    """The matrix from linear RGB to CIE XYZ of ICC's connection space (D50).

    Args:
      chromaticities: x and y of white, red, green and blue, (4, 2).
    """
    x, y = chromaticities.T
    white, *primaries = np.stack([x / y, np.ones(4), (1 - x - y) / y], axis=-1)
    columns = np.stack(primaries, axis=1)
    adapted = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    matrix: np.ndarray = np.linalg.solve(_BRADFORD, adapted) @ columns * np.linalg.solve(columns, white)
    return matrix


def d50_lab_to_linear(lab: np.ndarray) -> np.ndarray:
    """CIE Lab of ICC's connection space (D50), shape (..., 3), to linear sRGB, not clipped."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    return d50_to_linear(_cie_f_inverse(f) * _D50.astype(lab.dtype))


@functools.cache
def _linear_to_bytes() -> np.ndarray:
    """Linear light in 65536 levels to 8-bit sRGB; next to black a level is a twentieth of a byte's step."""
    encoded = linear_to_srgb(np.arange(_LEVELS + 1) / _LEVELS)
    return np.round(encoded * 255).astype(np.uint8)


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
