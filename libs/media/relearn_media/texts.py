"""Text samples: UTF-8, taken as they are."""

from __future__ import annotations

from relearn_media.errors import MediaRefused
from relearn_media.limits import TextLimits


def decode_text(data: bytes, limits: TextLimits | None = None) -> str:
    """The text that a browser makes of these bytes: UTF-8, without a byte order mark, line ends untouched.

    Offsets of spans count in UTF-16 code units of exactly this string.

    Raises:
        MediaRefused: TEXT_TOO_LARGE, or TEXT_NOT_UTF8 (with the offset of the first byte that is not).
    """
    limits = limits or TextLimits()
    if len(data) > limits.max_bytes:
        raise MediaRefused("TEXT_TOO_LARGE", f"{len(data)} bytes of text, at most {limits.max_bytes} are accepted")
    if (at := data.find(b"\0")) >= 0:
        raise MediaRefused("TEXT_NOT_UTF8", f"byte {at} is zero: this is no text, or not in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MediaRefused("TEXT_NOT_UTF8", f"byte {error.start} is not UTF-8; send the text as UTF-8") from error


def code_units(text: str) -> int:
    """Length in UTF-16 code units, which is what JavaScript counts in."""
    return len(text) + sum(1 for character in text if character > "\uffff")
