"""The one error of this library."""

from __future__ import annotations

from typing import Literal

Reason = Literal["IMAGE_FORMAT_UNSUPPORTED", "IMAGE_TOO_LARGE", "IMAGE_ANIMATED", "IMAGE_UNDECODABLE"]


class ImageError(ValueError):
    """Bytes that cannot become a picture; the same bytes never will.

    Attributes:
        reason: stable, for programs. `IMAGE_FORMAT_UNSUPPORTED` (neither PNG nor JPEG), `IMAGE_TOO_LARGE`
            (over a cap, found in the header, nothing was decoded), `IMAGE_ANIMATED` (more than one frame),
            `IMAGE_UNDECODABLE` (damaged, truncated or empty).
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        return type(self), (self.reason, str(self))  # survives a process boundary
