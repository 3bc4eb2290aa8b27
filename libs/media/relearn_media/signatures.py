"""What kind of media some bytes are, by their first bytes alone: never by a name, never by trying decoders."""

from __future__ import annotations

from enum import Enum

from relearn_media.errors import MediaRefused

HEAD_BYTES = 64  # what `container_of` needs to see, at most

_WIDE_TEXT = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # byte order marks of UTF-16 and UTF-32
_EBML = b"\x1a\x45\xdf\xa3"


class Modality(Enum):
    """What people see of a sample, and so what regions it can have."""

    IMAGE = "image"
    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"


class Container(Enum):
    """The formats that are accepted. MP4 and EBML (WebM, Matroska) and OGG hold sound, or video with or without."""

    PNG = "png"
    JPEG = "jpeg"
    TEXT = "text"
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    MP3 = "mp3"
    MP4 = "mp4"
    EBML = "ebml"
    AVI = "avi"


def container_of(head: bytes) -> Container:
    """The format of a file by its first `HEAD_BYTES`; text is what has no other signature and no zero byte.

    Raises:
        MediaRefused: MEDIA_EMPTY, MEDIA_UNKNOWN, or TEXT_NOT_UTF8 for a byte order mark of another encoding.
    """
    if not head:
        raise MediaRefused("MEDIA_EMPTY", "there are no bytes")
    if (found := _signed(head)) is not None:
        return found
    if head.startswith(_WIDE_TEXT):
        raise MediaRefused("TEXT_NOT_UTF8", "the text is UTF-16 or UTF-32; send it as UTF-8")
    if b"\0" in head:
        raise MediaRefused("MEDIA_UNKNOWN", f"no format that is accepted starts with {head[:12].hex()}")
    return Container.TEXT


def _signed(head: bytes) -> Container | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Container.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return Container.JPEG
    if head.startswith((b"RIFF", b"RF64")) and head[8:12] == b"WAVE":
        return Container.WAV
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return Container.AVI
    if head.startswith(b"fLaC"):
        return Container.FLAC
    if head.startswith(b"OggS"):
        return Container.OGG
    if head[4:8] == b"ftyp":
        return Container.MP4
    if head.startswith(_EBML):
        return Container.EBML
    if head.startswith(b"ID3") or _is_mpeg_audio(head):
        return Container.MP3
    return None


def _is_mpeg_audio(head: bytes) -> bool:
    """Whether a frame header of MPEG-1, -2 or -2.5 layer III comes first. Source: ISO/IEC 11172-3, 2.4.1.3."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sample_rate != 3
