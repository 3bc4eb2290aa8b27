"""The pictures of a video by their frame numbers: the same for people who label it and for whatever learns from it.

Needs the extra `av`; what it reads must have been measured, see `containers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from relearn_media.containers import UNSAID, Measured, Pictures, at_s, decoded_frames, opened
from relearn_media.errors import MediaRefused
from relearn_media.images import Pixels

_LOOKED_AT = 1000  # pictures that are decoded, at most, to come near an instant


def numbered(source: Path, measured: Measured, pictures: Pictures) -> Iterator[VideoFrame]:
    """The picture of every frame number, as stored (not turned): where none falls on a number, the one before again.

    Raises:
        MediaRefused: VIDEO_WITHOUT_FRAMES.
    """
    grid = pictures.grid
    shown: VideoFrame | None = None
    done = 0
    with source.open("rb") as file, opened(file, measured.format) as container:
        for count, picture in enumerate(decoded_frames(container, pictures.stream)):
            number = grid.number(_since_first_s(picture, count, pictures))
            for _ in range(done, min(number, grid.frames)):
                yield shown or picture
                done += 1
            shown = picture
            if done >= grid.frames:
                return
    if shown is None:
        raise MediaRefused("VIDEO_WITHOUT_FRAMES", "no frame of the video can be decoded")
    for _ in range(done, grid.frames):
        yield shown


def near(source: Path, measured: Measured, pictures: Pictures, since_first_s: float) -> VideoFrame:
    """A picture near an instant, as stored; quick also in a long video, at the price of being exact.

    Raises:
        MediaRefused: VIDEO_WITHOUT_FRAMES.
    """
    wanted_s = pictures.start_s + since_first_s
    picture = None
    with source.open("rb") as file, opened(file, measured.format) as container:
        with suppress(av.FFmpegError):  # there is no index: from the start then
            container.seek(int(wanted_s * av.time_base))
        for picture in islice(decoded_frames(container, pictures.stream), _LOOKED_AT):
            if (at_s(picture) or 0.0) >= wanted_s:
                break
    return picture if picture is not None else next(numbered(source, measured, pictures))


def rgb(picture: VideoFrame, pictures: Pictures) -> Pixels:
    """[h, w, 3] uint8, upright."""
    stored = picture.to_ndarray(format="rgb24", src_colorspace=colours_of(picture, pictures))
    return np.ascontiguousarray(np.rot90(stored, pictures.turns), dtype=np.uint8)


def upright(picture: VideoFrame, pictures: Pictures) -> VideoFrame:
    """The picture, as RGB where it has to be turned."""
    return picture if pictures.turns == 0 else VideoFrame.from_ndarray(rgb(picture, pictures), format="rgb24")


def colours_of(picture: VideoFrame, pictures: Pictures) -> int:
    """The matrix of H.273 that a stored picture is in, guessed where it doesn't say."""
    return pictures.colours if picture.colorspace in UNSAID else picture.colorspace


def _since_first_s(picture: VideoFrame, count: int, pictures: Pictures) -> float:
    times = pictures.times_s
    if times is not None:
        return float(times[min(count, len(times) - 1)] - times[0])
    told_s = at_s(picture)
    return count / float(pictures.grid.rate) if told_s is None else told_s - pictures.start_s
