"""Films to frames, and frames to films: H.264 with the sound of another film, which is copied as it is.

PyAV reads and writes them, the extra `video`. Its packages bring FFmpeg and x264. A film is written in parts, each of
which is a file of its own that stands alone; `join` puts them together without encoding anything again.
"""

import contextlib
import functools
import heapq
import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from colorize_jax.photos.errors import PhotoError, one_line

SUFFIXES = (".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv")
"""What counts as a film, by its name."""

PART = "nut"
"""Suffix of a part: this container keeps any time base."""

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
_ANY = "mkv"  # it takes every kind of sound
# Finer colours than x264's own choice: else the codec, which rounds them, flickers by more than what it is given.
# Without B-frames parts follow each other at any frame rate.
_ENCODER = {"crf": "14", "preset": "medium", "bf": "0", "x264-params": "chroma-qp-offset=-8"}
_KEY_EVERY = 50  # frames
_BT709, _BT2020, _BT601 = 1, 9, 5  # matrices as swscale numbers them
_UNTOLD = 2
_SMPTE170M = 6  # that of BT.601 as H.264 numbers it
_LIMITED = 1  # 16 to 235
_HD_LINES = 720  # films of as many lines and more that tell no matrix have that of BT.709


class Frame(NamedTuple):
    """A frame as it is shown: upright, sRGB; `time` is in units of the film's `FilmLook.time_base`."""

    rgb: UInt8[np.ndarray, "H W 3"]
    time: int


class FilmLook(NamedTuple):
    """What a film's frames have in common.

    Attributes:
      time_base: seconds.
      rate: frames a second, on average.
      shape: H, W of a frame as it is shown.
      aspect: width of a pixel as it is shown over its height.
      length: frames, as the file tells; 0 where it does not.
    """

    time_base: Fraction
    rate: Fraction
    shape: tuple[int, int]
    aspect: Fraction
    length: int


Put = Callable[[Frame], None]
"""Writes the next frame."""


def is_film(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name ends as a film's does, in letters of any size."""
    return Path(path).suffix.lower() in SUFFIXES


def suffix_of(path: Path) -> str:
    """The suffix, without its dot, of what is made of a film: its own where it is mp4 or mov, else mkv."""
    return _CONTAINERS.get(path.suffix.lower(), _ANY)


@functools.cache
def _av() -> Any:
    """PyAV.

    Raises:
      PhotoError: it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError:
        raise PhotoError("films are read with pip install 'colorize_jax[video]'") from None


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Makes FFmpeg's errors those of the file."""
    try:
        yield
    except _av().error.FFmpegError as error:
        raise PhotoError(f"{path}: the film cannot be read or written ({one_line(error)})") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """A film and its stream of pictures."""
    with _naming(path), _av().open(str(path)) as container:
        video = container.streams.best("video")
        if video is None:
            raise PhotoError(f"{path}: a film without pictures")
        video.thread_type = "AUTO"
        yield container, video


def look(path: Path) -> FilmLook:
    """What the frames have in common.

    Raises:
      PhotoError: no film, or PyAV is not installed.
    """
    with _opened(path) as (container, video):
        frame = next(container.decode(video), None)
        if frame is None:
            raise PhotoError(f"{path}: a film without a frame")
        rate = video.average_rate or video.guessed_rate or Fraction(25)
        shape, aspect = (video.height, video.width), video.sample_aspect_ratio or Fraction(1)
        if frame.rotation % 180:
            shape, aspect = shape[::-1], 1 / aspect
        return FilmLook(video.time_base, rate, shape, aspect, video.frames)


def frames(path: Path, start: int = 0) -> Iterator[Frame]:
    """The frames of a film in the order in which they are shown.

    Args:
      path: its file.
      start: how many of the first to leave out; they are decoded all the same, so that no other ones are.

    Raises:
      PhotoError: it cannot be read, at the frame at which it is damaged.
    """
    time = None
    with _opened(path) as (container, video):
        for number, frame in enumerate(container.decode(video)):
            time = _later(frame, time)
            if number >= start:
                yield Frame(_upright(frame, video.height, video.width), time)


def _later(frame: Any, before: int | None) -> int:
    """When a frame is shown, always later than the one before; old containers do not tell it of every frame."""
    told = frame.pts if frame.pts is not None else frame.dts
    if before is None:
        return int(told or 0)
    return max(before + 1, told if told is not None else before + (frame.duration or 1))


def _upright(frame: Any, height: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """The frame as it is shown, of the film's size, from which some streams depart."""
    matrix = frame.colorspace if frame.colorspace in (_BT709, _BT2020) else _BT601
    if frame.colorspace == _UNTOLD and height >= _HD_LINES:
        matrix = _BT709
    rgb = frame.to_ndarray(
        format="rgb24",
        width=width,
        height=height,
        src_colorspace=matrix,
        src_color_range=frame.color_range,
    )
    return np.ascontiguousarray(np.rot90(rgb, frame.rotation // 90))


@contextlib.contextmanager
def part(path: Path, like: FilmLook) -> Iterator[Put]:
    """Writes a part of a film.

    Args:
      path: of the part, which ends with `PART`.
      like: of the film.

    Raises:
      PhotoError: it cannot be written.
    """
    with _written(path, PART) as container:
        stream = container.add_stream("libx264", rate=like.rate, options=dict(_ENCODER))
        encoder = stream.codec_context
        encoder.height, encoder.width = like.shape
        # Halved planes of colour need even sides.
        encoder.pix_fmt = "yuv444p" if any(side % 2 for side in like.shape) else "yuv420p"
        encoder.time_base, encoder.gop_size = like.time_base, _KEY_EVERY
        encoder.sample_aspect_ratio = like.aspect
        hd = like.shape[0] >= _HD_LINES
        encoder.colorspace = _BT709 if hd else _SMPTE170M
        encoder.color_range, encoder.color_primaries, encoder.color_trc = _LIMITED, _BT709, _BT709
        target = {"dst_colorspace": _BT709 if hd else _BT601, "dst_color_range": _LIMITED}

        def put(frame: Frame) -> None:
            picture = _av().VideoFrame.from_ndarray(frame.rgb, format="rgb24")
            picture = picture.reformat(format=encoder.pix_fmt, **target)
            picture.pts, picture.time_base = frame.time, like.time_base
            container.mux(stream.encode(picture))

        yield put
        container.mux(stream.encode(None))


def join(parts: Sequence[Path], source: Path, target: Path, comment: str) -> None:
    """One film of parts, with the sound, the subtitles and the words of the film that they are made of.

    Args:
      parts: in order, at least one.
      source: the film.
      target: ends with `suffix_of(source)`.
      comment: is added to its words.

    Raises:
      PhotoError: one cannot be read, or the film not be written, as where its sound does not fit its container.
    """
    with contextlib.ExitStack() as stack:
        _, pictures = stack.enter_context(_opened(parts[0]))
        original, _ = stack.enter_context(_opened(source))
        made = stack.enter_context(_written(target, ticks=pictures.time_base.denominator))
        made.metadata.update({**original.metadata, "comment": _words(original.metadata, comment)})
        video = made.add_stream_from_template(pictures)
        video.time_base = pictures.time_base
        kept = {
            stream.index: _copied(made, stream)
            for stream in (*original.streams.audio, *original.streams.subtitles)
        }
        ways = [((video, packet) for packet in _pictures(parts))]
        if kept:
            packets = original.demux([original.streams[index] for index in kept])
            ways.append((kept[packet.stream.index], packet) for packet in packets if packet.dts is not None)
        for stream, packet in heapq.merge(*ways, key=lambda way: way[1].dts * way[1].time_base):
            packet.stream = stream
            made.mux(packet)


@contextlib.contextmanager
def _written(path: Path, container: str | None = None, ticks: int = 0) -> Iterator[Any]:
    """A film to write, in the container of its suffix by default; its streams begin at multiples of 1 / `ticks` s."""
    options = {"movie_timescale": str(ticks)} if path.suffix[1:] in _CONTAINERS.values() else {}
    with _naming(path), _av().open(str(path), "w", format=container, options=options) as made:
        yield made


def _copied(made: Any, stream: Any) -> Any:
    """A stream of the film that is made, for the packets of another one's."""
    copy = made.add_stream_from_template(stream)
    copy.metadata.update(stream.metadata)
    copy.time_base = stream.time_base
    return copy


def _pictures(parts: Sequence[Path]) -> Iterator[Any]:
    """The packets of all parts."""
    for path in parts:
        with _opened(path) as (container, video):
            yield from (packet for packet in container.demux(video) if packet.dts is not None)


def _words(about: dict[str, str], comment: str) -> str:
    return "\n".join(filter(None, (about.get("comment"), comment)))
