"""Images a second of our train step against the same network in PyTorch: `python benchmarks/train.py`.

The step is that of `scc`'s unary stage: encoder, gray features and decoder in training mode, BatchNorm's statistics
included, the loss of Eq. (7), gradients, their clipping at norm 1, and Adam with decoupled weight decay. PyTorch runs
it eagerly, eagerly with channels last, and through `torch.compile` where there is a C++ compiler. All take turns in
one process, with the threads that the machine has; the ratio of each turn is ours over the faster eager one. The
networks are compared by their parameters and by the sizes of their outputs; PyTorch pads strided convolutions on both
sides alike, where XLA pads the far side more: the sizes and the products are the same. Beside the images stand the
GFLOP/s that they come to, XLA's count for one step (ours with the convolutions by tiles of `models.winograd`, PyTorch's
without), and what a plain matrix product makes in either.

Needs `pip install '.[train,bench]'`. `--layers` prints instead, for each kind of convolution in the stage, the
milliseconds of its forward and backward pass in both.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch
from absl import flags
from torch import nn
from torch.nn import functional

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import resolve
from colorize_jax.models import winograd
from colorize_jax.models.layers import scaled
from colorize_jax.train.performance import matmul_peak, model_flops

_WIDTH = flags.DEFINE_multi_float("width", [1.0], "Widths of the networks; 1 is the paper's.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images a step.")
_TURNS = flags.DEFINE_integer("turns", 5, "Turns of each contender.")
_STEPS = flags.DEFINE_integer("steps", 3, "Steps a turn.")
_COMPILE = flags.DEFINE_bool("compile", True, "Also torch.compile, where a C++ compiler is on PATH.")
_LAYERS = flags.DEFINE_bool("layers", False, "Time single convolutions instead of the step.")

KL_WEIGHT = 1e-3
MAX_LOG_VARIANCE = 4.0
DOWN = ((128, 5), (256, 5), (512, 5), (1024, 4))  # (channels, kernel) of the encoder and of the gray features
UP = (
    (4, ((1024, 4),)),
    (2, ((512, 5),)),
    (2, ((256, 5), (128, 5))),
    (2, ()),
)  # (factor, layers) of the trunk

Step = Callable[[], None]


class Block(nn.Sequential):
    """Convolution, ReLU, BatchNorm."""

    def __init__(self, inputs: int, channels: int, kernel: int, stride: int = 1):
        # A kernel of 4 without a stride keeps the size with one row more on the far side.
        padding: Any = "same" if stride == 1 else (kernel - 1) // 2
        super().__init__(
            nn.Conv2d(inputs, channels, kernel, stride, padding), nn.ReLU(), nn.BatchNorm2d(channels)
        )


class Unary(nn.Module):
    """Encoder, gray features, decoder (supplement, Sec. 3)."""

    def __init__(self, width: float, latent: int = 64):
        super().__init__()
        size = partial(scaled, width=width)
        pyramid = [size(channels) for channels, _ in DOWN]

        def down(inputs: int) -> nn.ModuleList:
            return nn.ModuleList(
                Block(before, channels, kernel, 2)
                for before, channels, (_, kernel) in zip([inputs, *pyramid], pyramid, DOWN, strict=False)
            )

        self.encoder, self.gray = down(2), down(1)
        self.mean, self.log_variance = (nn.Linear(16 * pyramid[-1], latent) for _ in range(2))
        self.trunk, channels = nn.ModuleList(), latent
        for (_, layers), feature in zip(UP, reversed(pyramid), strict=True):
            channels += feature
            level = nn.Sequential()
            for wanted, kernel in layers:
                level.append(Block(channels, size(wanted), kernel))
                channels = size(wanted)
            self.trunk.append(level)
        self.top = nn.Sequential(Block(channels, size(64), 5), nn.Conv2d(size(64), 2, 5, padding="same"))

    def forward(self, lightness: torch.Tensor, ab: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Unary colours, and the code's mean and log-variance."""
        x = ab
        for block in self.encoder:
            x = block(x)
        mean, log_variance = (head(x.flatten(1)) for head in (self.mean, self.log_variance))
        log_variance = log_variance.clamp(max=MAX_LOG_VARIANCE)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        features, x = [], lightness
        for block in self.gray:
            x = block(x)
            features.append(x)
        x = code[:, :, None, None]
        for (factor, _), level, feature in zip(UP, self.trunk, reversed(features), strict=True):
            x = functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
            x = level(torch.cat([x, feature], dim=1))
        return self.top(x), mean, log_variance


def torch_loss(network: nn.Module, lightness: torch.Tensor, ab: torch.Tensor) -> torch.Tensor:
    """Eq. (7) with the absolute error."""
    unary, mean, log_variance = network(lightness, ab)
    true = functional.avg_pool2d(ab, 2)  # what an antialiased halving is, but for the border
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return (unary - true).abs().mean() + KL_WEIGHT * kl.mean()


def torch_step(width: float, batch: dict[str, np.ndarray], *, last: bool, compiled: bool) -> tuple[Step, int]:
    """A step, and the network's parameters; `last`: channels last."""
    network = Unary(width)
    count = sum(parameter.numel() for parameter in network.parameters())
    layout = torch.channels_last if last else torch.contiguous_format
    network = network.to(memory_format=layout)
    images = [
        torch.from_numpy(np.ascontiguousarray(np.moveaxis(batch[name], 3, 1))).to(memory_format=layout)
        for name in ("lightness", "ab")
    ]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )
    loss = torch.compile(torch_loss) if compiled else torch_loss

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(network, *images).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step, count


def our_step(width: float, batch: dict[str, np.ndarray]) -> tuple[Step, int, float, float]:
    """The trainer's own step, the parameters that it trains, its floating-point operations, and those by definition."""
    config = load("base")
    config.width = width
    config.stages.unary.batch_size = len(batch["ab"])
    resolved = resolve(config, images=13_000)
    stage = next(s for s in methods.build(resolved).stages if s.name == "unary")
    put, rng = jax.device_put(batch), jax.random.key(0)
    state = jax.jit(stage.init)(rng, put, None)
    update = jax.jit(stage.update, donate_argnums=0)
    flops = model_flops(update, state, put, rng)
    with mock.patch.object(winograd, "convolve", None):
        direct = model_flops(
            jax.jit(partial(stage.update)), state, put, rng
        )  # partial: jit would not trace again
    if flops is None or direct is None:
        raise ValueError("XLA does not count the operations of the step on this backend")
    trained = ("encoder", "gray", "trunk", "top")
    count = sum(leaf.size for name in trained for leaf in jax.tree.leaves(state.params[name]))

    def step() -> None:
        nonlocal state
        state, metrics = update(state, put, jax.random.fold_in(rng, 1))
        jax.block_until_ready((state, metrics))

    return step, count, flops, direct


def torch_matmul_peak() -> float:
    """FLOP/s of a square float32 product in PyTorch, the best of a few, as `matmul_peak` has it for JAX."""
    ones = torch.ones(1024, 1024)
    step = partial(torch.mm, ones, ones)
    step()
    return 2 * 1024**3 / min(seconds(step, 1) for _ in range(5))


def images(batch_size: int) -> dict[str, np.ndarray]:
    """Noise in the shape of a batch; convolutions take as long on it as on photos."""
    draw = np.random.default_rng(0)
    shape = (batch_size, 64, 64)
    return {
        "lightness": draw.uniform(-1, 1, (*shape, 1)).astype(np.float32),
        "ab": draw.uniform(-0.3, 0.3, (*shape, 2)).astype(np.float32),
    }


def seconds(step: Step, times: int) -> float:
    """Of one step, the mean of `times`."""
    began = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - began) / times


def race(contenders: dict[str, Step], turns: int, steps: int) -> dict[str, list[float]]:
    """Seconds a step of each contender in each turn, after two that compile and fetch memory."""
    for step in 2 * list(contenders.values()):
        seconds(step, steps)
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, step in contenders.items():
            taken[name].append(seconds(step, steps))
    return taken


def compare(width: float, batch_size: int) -> dict[str, Any]:
    """The race at one width, as JSON."""
    batch = images(batch_size)
    ours, count, flops, direct = our_step(width, batch)
    made = {
        "torch_eager": torch_step(width, batch, last=False, compiled=False),
        "torch_eager_channels_last": torch_step(width, batch, last=True, compiled=False),
    }
    if _COMPILE.value and (shutil.which("g++") or shutil.which("c++")):
        made["torch_compiled"] = torch_step(width, batch, last=False, compiled=True)
    counts = {count, *(other for _, other in made.values())}
    if len(counts) > 1:
        raise ValueError(f"the networks are not the same: their parameters are {sorted(counts)}")
    taken = race(
        {"ours": ours, **{name: step for name, (step, _) in made.items()}}, _TURNS.value, _STEPS.value
    )
    eager = [min(pair) for pair in zip(taken["torch_eager"], taken["torch_eager_channels_last"], strict=True)]
    ratios = [other / own for other, own in zip(eager, taken["ours"], strict=True)]
    medians = {name: statistics.median(each) for name, each in taken.items()}
    peaks = {"jax": matmul_peak("float32"), "torch": torch_matmul_peak()}
    return {
        "width": width,
        "batch_size": batch_size,
        "parameters": count,
        "images_per_s": {name: round(batch_size / each, 2) for name, each in medians.items()},
        "gflop_a_step": {"ours": round(flops / 1e9, 2), "direct": round(direct / 1e9, 2)},
        "gflop_per_s": {
            name: round((flops if name == "ours" else direct) / 1e9 / each, 1)
            for name, each in medians.items()
        },
        "gflop_per_s_of_a_matrix_product": {name: round(peak / 1e9, 1) for name, peak in peaks.items()},
        "ours_over_the_faster_eager": {
            "median": round(statistics.median(ratios), 3),
            "turns": [round(ratio, 3) for ratio in ratios],
        },
        "versions": {"jax": jax.__version__, "torch": torch.__version__},
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def layers(width: float) -> list[tuple[int, int, int, int, int]]:
    """(Side of the input, input channels, channels, kernel, stride) of the stage's convolutions, each kind once."""
    size = partial(scaled, width=width)
    found, side, before = [], 64, 1
    for channels, kernel in DOWN:
        found.append((side, before, size(channels), kernel, 2))
        side, before = side // 2, size(channels)
    side, before = 1, 64
    for (factor, convolutions), (feature, _) in zip(UP, reversed(DOWN), strict=True):
        side, before = side * factor, before + size(feature)
        for channels, kernel in convolutions:
            found.append((side, before, size(channels), kernel, 1))
            before = size(channels)
    return [*found, (side, before, size(64), 5, 1), (side, size(64), 2, 5, 1)]


def layer_steps(
    layer: tuple[int, int, int, int, int], batch_size: int
) -> tuple[dict[str, Step], dict[str, Step]]:
    """(Forward, forward and backward) of one convolution in both libraries."""
    side, inputs, channels, kernel, stride = layer
    draw = np.random.default_rng(0)
    image = draw.normal(size=(batch_size, side, side, inputs)).astype(np.float32)
    weight = (draw.normal(size=(kernel, kernel, inputs, channels)) / kernel).astype(np.float32)

    def conv(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def loss(x: jax.Array, w: jax.Array) -> jax.Array:
        return jnp.square(conv(x, w)).sum()

    put = jax.device_put((image, weight))
    forward, both = jax.jit(conv), jax.jit(jax.grad(loss, argnums=(0, 1)))
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, 3, 1))).requires_grad_()
    w = torch.from_numpy(np.ascontiguousarray(weight.transpose(3, 2, 0, 1))).requires_grad_()
    padding: Any = "same" if stride == 1 else (kernel - 1) // 2
    torch_conv = partial(functional.conv2d, x, w, stride=stride, padding=padding)

    def torch_forward() -> None:
        with torch.no_grad():
            torch_conv()

    return (
        {"ours": lambda: jax.block_until_ready(forward(*put)), "torch": torch_forward},
        {
            "ours": lambda: jax.block_until_ready(both(*put)),
            "torch": lambda: torch_conv().square().sum().backward(),
        },
    )


def tell_layers(width: float, batch_size: int) -> None:
    """A line of each kind of convolution: milliseconds, the least of the turns."""
    print(f"width {width}, batch {batch_size}: ms forward, ms forward and backward, ours / torch")
    for layer in layers(width):
        told = []
        for steps in layer_steps(layer, batch_size):
            taken = race(steps, _TURNS.value, _STEPS.value)
            ours, torch_ms = (1000 * min(taken[name]) for name in ("ours", "torch"))
            told.append(f"{ours:8.1f} / {torch_ms:8.1f}")
        side, inputs, channels, kernel, stride = layer
        name = f"{side:2d}x{side:<2d} {inputs:4d} -> {channels:4d}  {kernel}x{kernel} / {stride}"
        print(f"{name}  {'   '.join(told)}", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Compares at each width."""
    del arguments
    common.keep_memory()  # as the trainer does; PyTorch gains by it, too
    torch.manual_seed(0)
    for width in _WIDTH.value:
        if _LAYERS.value:
            tell_layers(width, _BATCH_SIZE.value)
        else:
            print(json.dumps(compare(width, _BATCH_SIZE.value)), flush=True)


if __name__ == "__main__":
    common.run(main)
