"""What some bytes claim to be, read from their first bytes and header alone; nothing is decoded here."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

from relearn_media.errors import ImageError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_GREY = (0, 4)  # colour types: grey, grey with alpha
_JPEG_SIGNATURE = b"\xff\xd8\xff"
# start-of-frame markers carry the size; C4, C8 and CC of that range are other segments
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset(range(0xD0, 0xD9)) | {0x01}  # markers without a length


class ImageFormat(Enum):
    """Encodings that are accepted; the value is the media type."""

    PNG = "image/png"
    JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What a header says.

    Attributes:
        width, height: stored pixels, before any EXIF turn.
        channels: 1 for grey, 3 for anything with colour; transparency is not counted.
    """

    format: ImageFormat
    width: int
    height: int
    channels: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


def sniff(data: bytes) -> ImageFormat | None:
    """The format of encoded bytes by their signature, None for anything but PNG and JPEG."""
    if data.startswith(_PNG_SIGNATURE):
        return ImageFormat.PNG
    if data.startswith(_JPEG_SIGNATURE):
        return ImageFormat.JPEG
    return None


def probe_image(data: bytes) -> ImageInfo:
    """Format and size of an encoded picture, without decoding it.

    Raises:
        ImageError: IMAGE_FORMAT_UNSUPPORTED, or IMAGE_UNDECODABLE when the header is damaged or has no pixels.

    Source: PNG specification (W3C, third edition) 11.2.1 IHDR; ITU-T T.81 B.2.2 frame header.
    """
    format = sniff(data)
    if format is None:
        raise ImageError(
            "IMAGE_FORMAT_UNSUPPORTED",
            f"neither PNG nor JPEG: {len(data)} bytes starting with {data[:8].hex() or 'nothing'}",
        )
    header = _png_header(data) if format is ImageFormat.PNG else _jpeg_header(data)
    if header is None:
        raise ImageError("IMAGE_UNDECODABLE", f"the {format.name} header is damaged or cut off")
    width, height, channels = header
    if width == 0 or height == 0:
        raise ImageError("IMAGE_UNDECODABLE", f"the {format.name} header says {width} x {height} pixels")
    return ImageInfo(format=format, width=width, height=height, channels=channels)


def _png_header(data: bytes) -> tuple[int, int, int] | None:
    if len(data) < 26 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height, 1 if data[25] in _PNG_GREY else 3


def _jpeg_header(data: bytes) -> tuple[int, int, int] | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        elif marker in _JPEG_FRAMES:
            if at + 10 > len(data):
                return None
            height, width, components = struct.unpack_from(">HHB", data, at + 5)
            return width, height, 1 if components == 1 else 3
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if length < 2:
                return None
            at += 2 + length
    return None
