"""The bytes of a sample, looked at before anything is kept: caps first, then a real decoding."""

from __future__ import annotations

import hashlib

from relearn_datasets.domain.errors import (
    ImageAnimated,
    ImageFormatUnsupported,
    ImageRefused,
    ImageTooLarge,
    ImageUndecodable,
)
from relearn_datasets.domain.samples import Content
from relearn_media import ImageError, ImageSpec, decode

# Every byte is decoded, whatever the size asked for; a small one costs least afterwards.
_SMALL = ImageSpec(height=8, width=8, channels=1)
_REFUSED = {
    "IMAGE_UNDECODABLE": ImageUndecodable,
    "IMAGE_TOO_LARGE": ImageTooLarge,
    "IMAGE_FORMAT_UNSUPPORTED": ImageFormatUnsupported,
    "IMAGE_ANIMATED": ImageAnimated,
}


def inspect(data: bytes) -> Content:
    """What the bytes are.

    Raises:
        ImageRefused: no acceptable picture; the class says which reason.
    """
    try:
        found = decode(data, _SMALL)
    except ImageError as error:
        raise _REFUSED.get(error.reason, ImageRefused)(str(error)) from error
    return Content(sha256=hashlib.sha256(data).digest(), size_bytes=len(data), media_type=found.source.format.value)
