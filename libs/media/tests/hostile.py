"""A corpus of files that nobody means well with, made by this script; `python hostile.py FOLDER` writes them.

Each case says what must become of it: a reason of refusal, or the kind of media that it is shown as. None leaves
both open: damage may fall where it does not matter.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import made_media as made
import numpy as np
from PIL import Image

from relearn_media import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file by the name that it pretends to have."""

    name: str
    data: bytes
    expected: str | Modality | None


def meant(group: str) -> Iterator[Case]:
    """The files of one of `GROUPS`, each made to do harm."""
    for name, data, expected in GROUPS[group]():
        yield Case(name=name, data=data, expected=expected)


def damaged(kind: str) -> Iterator[Case]:
    """A good file of one of `KINDS`, cut off at every tenth, and with one byte in fifty changed, twice."""
    whole = KINDS[kind]()
    for tenth in range(10):
        yield Case(name=f"cut-{tenth}.{kind}", data=whole[: len(whole) * tenth // 10], expected=None)
    for seed in range(2):
        random = np.random.default_rng(seed)
        flipped = np.frombuffer(whole, np.uint8).copy()
        where = random.integers(16, len(flipped), size=max(1, len(flipped) // 50))
        flipped[where] = random.integers(0, 256, size=len(where))
        yield Case(name=f"flipped-{seed}.{kind}", data=flipped.tobytes(), expected=None)


def _opus() -> bytes:
    return made.sound(made.tone(seconds=2, rate=48_000), format="ogg", codec="libopus", rate=48_000)


def _mp3() -> bytes:
    return made.sound(made.tone(seconds=2), format="mp3", codec="libmp3lame", rate=8000)


def _flac() -> bytes:
    return made.sound(made.tone(seconds=2), format="flac", codec="flac", rate=8000)


def _picture(format: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).save(buffer, format)
    return buffer.getvalue()


KINDS: dict[str, Callable[[], bytes]] = {
    "png": lambda: _picture("PNG"),
    "jpg": lambda: _picture("JPEG"),
    "txt": lambda: ("Größe, 测试, \U0001f600\n" * 50).encode(),
    "wav": lambda: made.wav(made.tone(seconds=1)),
    "flac": _flac,
    "ogg": _opus,
    "mp3": _mp3,
    "mp4": lambda: made.video(sound=made.tone(seconds=3)),
    "webm": lambda: made.video(format="webm", codec="libvpx", sound=made.tone(seconds=3)),
    "avi": lambda: made.video(format="avi", codec="mpeg4"),
}


def _pictures() -> Iterator[tuple[str, bytes, str | Modality]]:
    yield "no-bytes.png", b"", "MEDIA_EMPTY"
    yield "bomb-outside-the-caps.png", _png(width=60_000, height=60_000, rows=b""), "IMAGE_TOO_LARGE"
    yield "bomb-inside-the-caps.png", _png(width=7000, height=7000, rows=bytes(7001 * 7000)), Modality.IMAGE
    yield "one-long-row.png", _png(width=10_000_000, height=1, rows=bytes(10_000_001)), "IMAGE_TOO_LARGE"
    text = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    yield "bomb-in-a-text.png", _png(width=1, height=1, rows=b"\0\0", more=_chunk(b"zTXt", text)), "IMAGE_UNDECODABLE"
    animated = io.BytesIO()
    Image.new("L", (9, 9)).save(animated, "PNG", save_all=True, append_images=[Image.new("L", (9, 9), 255)])
    yield "animated.png", animated.getvalue(), "IMAGE_ANIMATED"
    script = b"<script>fetch('/api/tokens')</script>"
    yield "script.svg.png", b'<svg xmlns="http://www.w3.org/2000/svg">' + script + b"</svg>", Modality.TEXT
    yield "script.html.jpg", b"<!doctype html>" + script, Modality.TEXT
    yield "pixels.gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "MEDIA_UNKNOWN"
    yield "sound.png", made.wav(made.tone(seconds=1)), Modality.AUDIO
    yield "picture.mp4", _picture("JPEG"), Modality.IMAGE


def _texts() -> Iterator[tuple[str, bytes, str | Modality]]:
    yield "utf-16.txt", "Präambel".encode("utf-16"), "TEXT_NOT_UTF8"
    yield "latin-1.txt", "Präambel".encode("latin-1"), "TEXT_NOT_UTF8"
    yield "zero-late.txt", b"a" * 5000 + b"\0", "TEXT_NOT_UTF8"
    yield "surrogates.txt", b"\xed\xa0\xbd\xed\xb8\x80", "TEXT_NOT_UTF8"
    yield "playlist.m3u8", b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", Modality.TEXT
    yield "playlist.mp4", b"#EXTM3U\n#EXTINF:9,\nconcat:/etc/passwd|/etc/group\n", Modality.TEXT
    yield "concat.avi", b"ffconcat version 1.0\nfile '/etc/passwd'\n", Modality.TEXT
    yield "manifest.webm", b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/</BaseURL></MPD>', Modality.TEXT


def _sounds() -> Iterator[tuple[str, bytes, str | Modality]]:
    tone = made.tone(seconds=1)
    integers = np.rint(tone * 32767).astype("<i2").tobytes()
    yield "claims-four-gigabytes.wav", made.wav(tone, claimed_bytes=2**32 - 40), Modality.AUDIO
    yield "no-samples.wav", made.wav(tone[:0]), "AUDIO_WITHOUT_SAMPLES"
    yield "rate-0.wav", made.wav_of(integers, rate=0, channels=1, width=2), "MEDIA_UNDECODABLE"
    yield "rate-1.wav", made.wav_of(integers, rate=1, channels=1, width=2), "AUDIO_RATE_UNSUPPORTED"
    yield "rate-4e9.wav", made.wav_of(integers, rate=4_000_000_000, channels=1, width=2), "MEDIA_UNDECODABLE"
    yield "rate-1e9.wav", made.wav_of(integers, rate=1_000_000_000, channels=1, width=2), "AUDIO_RATE_UNSUPPORTED"
    yield "channels-0.wav", made.wav_of(integers, rate=8000, channels=0, width=2), "AUDIO_CHANNELS_UNSUPPORTED"
    yield "channels-65535.wav", made.wav_of(integers, rate=8000, channels=65_535, width=2), "AUDIO_CHANNELS_UNSUPPORTED"
    yield "channels-500.wav", made.wav_of(integers, rate=8000, channels=500, width=2), "AUDIO_CHANNELS_UNSUPPORTED"
    odd = tone.copy()
    odd[::7], odd[1::7], odd[2::7] = np.nan, np.inf, 1e30
    yield "not-a-number.wav", made.wav(odd), Modality.AUDIO
    yield "zip-inside.wav", b"RIFF\x40\0\0\0WAVEPK\x03\x04" + bytes(60), "MEDIA_UNDECODABLE"
    yield "zip-behind.wav", made.wav(tone) + b"PK\x05\x06" + bytes(18), Modality.AUDIO
    yield (
        "codec-unknown.wav",
        made.wav_of(integers, rate=8000, channels=1, width=2, code=0x2000),
        "AUDIO_CODEC_UNSUPPORTED",
    )
    flac = bytearray(_flac())
    flac[21] |= 0x0F
    flac[22:26] = b"\xff\xff\xff\xff"  # 2^36 - 1 samples
    yield "claims-months.flac", bytes(flac), "AUDIO_TOO_LONG"
    yield "cover.mp3", _id3(_picture("JPEG")) + _mp3(), Modality.AUDIO
    yield "cover-bomb.mp3", _id3(_png(width=60_000, height=60_000, rows=b"")) + _mp3(), Modality.AUDIO
    yield "endless-tag.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + _mp3(), "MEDIA_UNDECODABLE"
    yield "nothing-behind.mp3", b"\xff\xfb\x90\x64" + bytes(2000), "MEDIA_UNDECODABLE"


def _videos() -> Iterator[tuple[str, bytes, str | Modality]]:
    mp4, avi = made.video(), bytearray(made.video(format="avi", codec="mpeg4"))
    yield "turned.mp4", made.video(turn=90), Modality.VIDEO
    times = [0.0, 0.01, 0.5, 0.51, 2.0, 2.7, 2.71]
    yield "uneven.mp4", made.video(len(times), times=times), Modality.VIDEO
    yield "two-hours-between.mp4", made.video(3, times=[0.0, 0.01, 7300.0]), "VIDEO_TOO_LONG"
    yield "no-frames.mp4", _without_frames("mp4"), "MEDIA_WITHOUT_STREAMS"
    yield "no-frames.webm", _without_frames("webm"), "MEDIA_UNDECODABLE"
    yield "says-1e9-seconds.mp4", _patched(mp4, b"mdhd", 16, 4 * 10**9), Modality.VIDEO
    yield "frames-last-for-years.mp4", _patched(mp4, b"stts", 8, 2**31 - 1), "VIDEO_TOO_LONG"
    yield "sample-table-of-2e9.mp4", _patched(mp4, b"stsz", 8, 2**31 - 1), "MEDIA_UNDECODABLE"
    yield "refers-to-another-file.mov", _reference_movie(b"file:///etc/passwd"), "MEDIA_WITHOUT_STREAMS"
    yield "data-in-another-file.mov", _elsewhere(mp4, b"/etc/passwd"), "VIDEO_WITHOUT_FRAMES"
    raw = bytearray(made.video(3, format="avi", codec="rawvideo"))
    header = raw.index(b"strf") + 8
    raw[header + 4 : header + 12] = struct.pack("<ii", 6000, 6000)
    yield "frames-of-36-megapixels.avi", bytes(raw), "VIDEO_TOO_LARGE"
    rate = avi.index(b"strh") + 8 + 20
    quick = avi.copy()
    quick[rate : rate + 8] = struct.pack("<II", 1, 1_000_000)
    yield "million-frames-a-second.avi", bytes(quick), "VIDEO_RATE_UNSUPPORTED"


GROUPS: dict[str, Callable[[], Iterator[tuple[str, bytes, str | Modality]]]] = {
    "pictures": _pictures,
    "texts": _texts,
    "sounds": _sounds,
    "videos": _videos,
}


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(*, width: int, height: int, rows: bytes, more: bytes = b"") -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + header + more + pixels + _chunk(b"IEND", b"")


def _id3(picture: bytes) -> bytes:
    frame = b"\0image/png\0\x03\0" + picture
    frames = b"APIC" + struct.pack(">IH", len(frame), 0) + frame
    size = len(frames)
    synchsafe = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + synchsafe + frames


def _without_frames(format: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as output:
        stream = output.add_stream("libvpx" if format == "webm" else "mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.start_encoding()
    return buffer.getvalue()


def _patched(mp4: bytes, box: bytes, offset: int, value: int) -> bytes:
    """The file with the 32-bit number at this offset of a box's content changed."""
    at = mp4.index(box) + 4 + offset
    return mp4[:at] + struct.pack(">I", value) + mp4[at + 4 :]


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def _reference_movie(url: bytes) -> bytes:
    reference = _box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(url) + 1) + url + b"\0")
    return _box(b"ftyp", b"qt  " + bytes(4)) + _box(b"moov", _box(b"rmra", _box(b"rmda", reference)))


def _elsewhere(mp4: bytes, path: bytes) -> bytes:
    """The same video, saying that its pictures are in another file. Source: QuickTime File Format, alias records."""
    names = bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    record = bytes(4) + names + struct.pack(">HH", 2, len(path)) + path + b"\0" * (len(path) % 2) + b"\xff\xff\0\0"
    reference = _box(b"dref", bytes(4) + struct.pack(">I", 1) + _box(b"alis", record))
    at = mp4.index(b"dref") - 4
    old = struct.unpack_from(">I", mp4, at)[0]
    changed = bytearray(mp4[:at] + reference + mp4[at + old :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        size_at = mp4.rindex(parent, 0, at) - 4
        size = struct.unpack_from(">I", changed, size_at)[0]
        struct.pack_into(">I", changed, size_at, size + len(reference) - old)
    return bytes(changed)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for case in (*chain.from_iterable(map(meant, GROUPS)), *chain.from_iterable(map(damaged, KINDS))):
        (folder / case.name).write_bytes(case.data)
