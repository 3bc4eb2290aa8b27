"""What this library says about bytes that it does not take."""

from __future__ import annotations

from typing import Literal, Self

Reason = Literal["IMAGE_FORMAT_UNSUPPORTED", "IMAGE_TOO_LARGE", "IMAGE_ANIMATED", "IMAGE_UNDECODABLE"]


class MediaRefused(ValueError):
    """Bytes that cannot be shown or used; the same bytes never will be.

    Attributes:
        reason: stable, for programs; the README of this library has the table of all.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.reason, str(self))  # survives a process boundary


class ImageError(MediaRefused):
    """Bytes that cannot become a picture.

    Attributes:
        reason: `IMAGE_FORMAT_UNSUPPORTED` (neither PNG nor JPEG), `IMAGE_TOO_LARGE` (over a cap, found in the
            header, nothing was decoded), `IMAGE_ANIMATED` (more than one frame), `IMAGE_UNDECODABLE` (damaged,
            truncated or empty).
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)
