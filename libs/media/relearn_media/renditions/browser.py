"""Sound and video as every Chromium and Firefox plays them: VP9 and Opus, made by libvpx and libopus.

Both are free of patent fees and in every build of the browsers, also those without H.264 and AAC.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from relearn_media.containers import Measured, Pictures, Sound
from relearn_media.frames import colours_of, numbered, upright
from relearn_media.renditions.sound import Samples, sound_blocks

_OPUS_RATE = 48_000
_OPUS_BITS_PER_CHANNEL = 64_000
_KEYFRAME_EVERY = 10  # frames that are decoded, at most, to show the one that is jumped to
_VP9 = {"deadline": "realtime", "cpu-used": "8", "crf": "32", "lag-in-frames": "0", "auto-alt-ref": "0"}
_LIMITED = 1  # FFmpeg's number for black at 16 and white at 235
_PLAYED = {
    *(("wav", codec) for codec in ("pcm_u8", "pcm_s16le", "pcm_s24le")),
    ("flac", "flac"),
    ("ogg", "vorbis"),
    ("ogg", "opus"),
}


def plays_as_it_is(measured: Measured, sound: Sound) -> bool:
    """Whether browsers play the bytes of a sound, and jump exactly to any instant of it."""
    known = (measured.format.value, sound.codec) in _PLAYED and abs(sound.start_s) < 0.05
    return known and sound.channels <= 2 and 8000 <= sound.sample_rate <= 96_000


def write_sound(source: Path, measured: Measured, sound: Sound, target: Path) -> None:
    """A sound as Ogg with Opus: 48 kHz, one or two channels; more are mixed into one."""
    with av.open(str(target), "w", format="ogg") as output:
        opus = _opus(output, sound)
        for frame in _frames_of_sound(source, measured, sound):
            output.mux(opus.encode(frame))
        output.mux(opus.encode(None))


def write_video(source: Path, measured: Measured, pictures: Pictures, target: Path, *, max_side: int) -> None:
    """A video as WebM with VP9 and Opus: frame i of it is frame i of the numbering, every tenth a keyframe."""
    with av.open(str(target), "w", format="webm", container_options={"cues_to_front": "1"}) as output:
        vp9 = _vp9(output, pictures, max_side)
        sound = measured.sound
        opus = None if sound is None else _opus(output, sound)
        blocks = iter(()) if sound is None else _frames_of_sound(source, measured, sound)
        heard = 0  # samples; the sound is written as far as the pictures are, so that a player needs no look ahead
        for number, picture in enumerate(numbered(source, measured, pictures)):
            while opus is not None and sound is not None and heard * pictures.grid.rate <= number * sound.sample_rate:
                if (block := next(blocks, None)) is None:
                    break
                heard += block.samples
                output.mux(opus.encode(block))
            output.mux(vp9.encode(_encodable(picture, pictures, vp9, number)))
        output.mux(vp9.encode(None))
        if opus is not None:
            for block in blocks:
                output.mux(opus.encode(block))
            output.mux(opus.encode(None))


def _vp9(output: OutputContainer, pictures: Pictures, max_side: int) -> VideoStream:
    stream = output.add_stream("libvpx-vp9", rate=pictures.grid.rate, options=_VP9)
    scale = min(1.0, max_side / max(pictures.width, pictures.height))
    stream.width, stream.height = max(1, round(pictures.width * scale)), max(1, round(pictures.height * scale))
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / pictures.grid.rate
    context.gop_size = _KEYFRAME_EVERY
    context.bit_rate = 0  # the quality is set instead
    context.colorspace, context.color_range = pictures.colours, _LIMITED
    return stream


def _encodable(picture: VideoFrame, pictures: Pictures, stream: VideoStream, number: int) -> VideoFrame:
    plain = upright(picture, pictures).reformat(
        width=stream.width,
        height=stream.height,
        format="yuv420p",
        src_colorspace=colours_of(picture, pictures),
        dst_colorspace=pictures.colours,
        dst_color_range=_LIMITED,
    )
    plain.pts, plain.time_base, plain.pict_type = number, 1 / pictures.grid.rate, 0
    return plain


def _opus(output: OutputContainer, sound: Sound) -> AudioStream:
    channels = 2 if sound.channels == 2 else 1
    stream = output.add_stream("libopus", rate=_OPUS_RATE, layout="stereo" if channels == 2 else "mono")
    stream.bit_rate = _OPUS_BITS_PER_CHANNEL * channels
    return stream


def _frames_of_sound(source: Path, measured: Measured, sound: Sound) -> Iterator[AudioFrame]:
    at = 0
    for samples in sound_blocks(source, measured, sound):
        mixed: Samples = samples if sound.channels <= 2 else samples.mean(axis=1, keepdims=True)
        layout = "stereo" if mixed.shape[1] == 2 else "mono"
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(mixed).reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.sample_rate, at, Fraction(1, sound.sample_rate)
        at += len(samples)
        yield frame
