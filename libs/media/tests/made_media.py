"""Small sounds and videos made for tests; every picture of a video carries its number as eight stripes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import numpy as np

STRIPE, STRIPES, HEIGHT = 8, 8, 48
WIDTH = STRIPE * STRIPES


def striped(number: int) -> np.ndarray:
    """[48, 64] uint8: bit i of the number is stripe i, white for 1."""
    bits = np.array([number >> bit & 1 for bit in range(STRIPES)], np.uint8) * 255
    return np.repeat(np.repeat(bits[None], STRIPE, axis=1), HEIGHT, axis=0)


def number_of(picture: np.ndarray) -> int:
    """The number in a [48, 64] grey picture, however it was compressed."""
    stripes = picture.reshape(HEIGHT, STRIPES, STRIPE).mean(axis=(0, 2))
    return sum(1 << bit for bit, value in enumerate(stripes) if value > 127)


def tone(*, seconds: float, rate: int = 8000, hertz: float = 440.0, channels: int = 1) -> np.ndarray:
    """[n, channels] float32, half as loud as possible."""
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def wav(samples: np.ndarray, *, rate: int = 8000, claimed_bytes: int | None = None) -> bytes:
    """A WAV of [n, channels] float32 samples: int16 PCM, or float when the samples are not all in [-1, 1]."""
    as_float = not bool((np.abs(samples) <= 1).all())  # also for not-a-number
    data = samples.astype("<f4").tobytes() if as_float else np.rint(samples * 32767).astype("<i2").tobytes()
    width, channels = 4 if as_float else 2, samples.shape[1]
    return wav_of(data, rate=rate, channels=channels, width=width, code=3 if as_float else 1, claimed=claimed_bytes)


def wav_of(data: bytes, *, rate: int, channels: int, width: int, code: int = 1, claimed: int | None = None) -> bytes:
    """A WAV with any header: `code` 1 is integers, 3 floats; `claimed` is the length that it says it has."""
    size = len(data) if claimed is None else claimed
    form = struct.pack(
        "<HHIIHH", code, channels, rate, min(rate * channels * width, 2**32 - 1), channels * width & 0xFFFF, width * 8
    )
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(2**32 - 1, size + 36)) + body


def sound(samples: np.ndarray, *, format: str, codec: str, rate: int) -> bytes:
    """The samples [n, channels] in any format that FFmpeg writes."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo" if samples.shape[1] == 2 else "mono")
        _encode_sound(output, stream, samples, rate)
    return buffer.getvalue()


def video(
    frames: int = 30,
    *,
    format: str = "mp4",
    codec: str = "libx264",
    rate: Fraction | int = 10,
    times: Sequence[float] | None = None,
    turn: int = 0,
    sound: np.ndarray | None = None,
    picture: Callable[[int], np.ndarray] = striped,
) -> bytes:
    """Striped pictures 0, 1, 2, ..., at these times or evenly; turned by metadata; with a sound of 8 kHz; or others."""
    buffer = io.BytesIO()
    rate = Fraction(rate)
    with av.open(buffer, "w", format=format) as output:
        options = {"crf": "10", "bf": "2"} if codec == "libx264" else {}
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 500_000
        base = 1 / rate if times is None else Fraction(1, 1000)
        stream.codec_context.time_base = base
        if turn:
            stream.set_display_rotation(turn)
        heard = None if sound is None else output.add_stream("libopus" if format == "webm" else "aac", rate=48_000)
        for number in range(frames):
            drawn = picture(number)
            kind = "gray" if drawn.ndim == 2 else "rgb24"
            frame = av.VideoFrame.from_ndarray(drawn, format=kind).reformat(format="yuv420p")
            frame.pts = number if times is None else round(times[number] * 1000)
            frame.time_base = base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if heard is not None:
            _encode_sound(output, heard, sound, 8000)
    return buffer.getvalue()


def _encode_sound(output, stream, samples: np.ndarray, rate: int) -> None:
    layout = "stereo" if samples.shape[1] == 2 else "mono"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
