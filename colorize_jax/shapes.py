"""The axis vocabulary and the array types of the package; nothing else.

| axis | meaning |
|---|---|
| `B` | images of a batch |
| `N` | colour versions (samples) of one image |
| `H W` | pixels of a photo or of a training image |
| `F` | side of the square colour field; the paper's is 32 |
| `P` | pixels of the field, F² |
| `C` | colour channels: a*, b* (C = 2) |
| `D` | width of a pixel's embedding |
| `Z` | width of the latent code |
| `M` | mixture components |
"""

from jax import Array
from jaxtyping import Bool, Float, Int, PRNGKeyArray, UInt8, UInt16

__all__ = ["Array", "Bool", "Float", "Int", "PRNGKeyArray", "UInt8", "UInt16"]
