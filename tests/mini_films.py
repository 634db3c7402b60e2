"""Small films: a bright square that moves over steps of gray, a cut in the middle, a sine to be heard."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TIME_BASE = Fraction(1, 600)
TIMES = [40, 64, 88, 112, 136, 190, 214, 238, 262, 286, 310, 334]  # one is late
CUT = 8  # the first frame of the second scene


def gray_frames(shape=(48, 64), *, grain=2.0):
    """Twelve gray frames, uint8 (H, W)."""
    rng = np.random.default_rng(0)
    height, width = shape
    made = []
    for number in range(len(TIMES)):
        steps = np.random.default_rng(number >= CUT).integers(60, 200, (6, 8))
        frame = np.kron(steps, np.ones((height // 6 + 1, width // 8 + 1)))[:height, :width]
        frame[8:16, 3 * number : 3 * number + 10] = 250
        made.append((frame + rng.normal(0, grain, shape)).clip(0, 255).astype(np.uint8))
    return made


def write(path: Path, *, shape=(48, 64), aspect=Fraction(4, 3), turned=0, audio="aac", grain=2.0) -> Path:
    """A film with `TIMES`, `turned` by degrees against the clock where it is shown."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=25, options={"crf": "8"})
        video.height, video.width = shape
        video.pix_fmt = "yuv420p" if not any(n % 2 for n in shape) else "yuv444p"
        video.codec_context.time_base = video.time_base = TIME_BASE
        video.codec_context.sample_aspect_ratio = aspect
        if turned:
            video.set_display_rotation(turned)
        film.metadata["title"] = "Squares"
        sound = film.add_stream(audio, rate=8000, layout="mono") if audio else None
        for gray, time in zip(gray_frames(shape, grain=grain), TIMES, strict=True):
            frame = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, -1), format="rgb24")
            frame.pts, frame.time_base = time, TIME_BASE
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if sound is not None:
            _sing(film, sound)
    return path


def _sing(film, sound):
    wave = (np.sin(np.arange(4096) * 0.35) * 9000).astype(np.int16)[None]
    for start in range(0, 4096, 1024):
        frame = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
        film.mux(sound.encode(frame))
    film.mux(sound.encode(None))


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """When each packet of a stream is due, in seconds, and its bytes."""
    with av.open(str(path)) as film:
        found = [packet for packet in film.demux(**{kind: 0}) if packet.dts is not None]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in found]
