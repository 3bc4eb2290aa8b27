"""Encoded images become a model's input; whatever is not certainly cheap leaves the serving loop."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from relearn_media import DecodedImage, ImageError, ImageSpec, Preprocessing, decode, preprocess, probe_image
from relearn_runtime.errors import InvalidInput
from relearn_serving.gateway.refusals import (
    ImageAnimated,
    ImageFormatUnsupported,
    ImageTooLarge,
    ImageUndecodable,
    Overloaded,
)
from relearn_serving.gateway.room import Room

# At most about two milliseconds of decoding, even for the nastiest bytes that fit.
_CHEAP_IMAGES = 8
_CHEAP_BYTES = 16 * 1024
_CHEAP_PIXELS = 16 * 1024

_REFUSALS: dict[str, type[InvalidInput]] = {
    "IMAGE_ANIMATED": ImageAnimated,
    "IMAGE_FORMAT_UNSUPPORTED": ImageFormatUnsupported,
    "IMAGE_TOO_LARGE": ImageTooLarge,
    "IMAGE_UNDECODABLE": ImageUndecodable,
}


def cheap(images: Sequence[bytes]) -> bool:
    """Whether decoding may happen on the serving loop. Reads headers only.

    Raises:
        InvalidInput: a header is damaged or of another format; names the index.
    """
    if len(images) > _CHEAP_IMAGES or sum(map(len, images)) > _CHEAP_BYTES:
        return False
    pixels = 0
    for index, image in enumerate(images):
        try:
            pixels += probe_image(image).pixels
        except ImageError as error:
            raise _refusal(error, index) from error
    return pixels <= _CHEAP_PIXELS


def decode_all(images: Sequence[bytes], spec: ImageSpec) -> list[DecodedImage]:
    """Every image as pixels in the size of `spec`.

    Raises:
        InvalidInput: one cannot be decoded; names the index. A request is answered whole or not at all.
    """
    decoded = []
    for index, image in enumerate(images):
        try:
            decoded.append(decode(image, spec))
        except ImageError as error:
            raise _refusal(error, index) from error
    return decoded


def model_input(decoded: Sequence[DecodedImage], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """[n, c, h, w], as the model was trained."""
    return preprocess(np.stack([image.pixels for image in decoded]), preprocessing)


class Workers:
    """Threads for what may take long. What waits is bounded: beyond it callers are told at once."""

    def __init__(self, *, threads: int, waiting: int, max_bytes: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._room = Room(requests=threads + waiting, max_bytes=max_bytes)

    def submit(self, work: Callable[[], None], *, size_bytes: int) -> None:
        """Runs `work`, which holds `size_bytes` and handles its own errors, on some thread.

        Raises:
            Overloaded: too much waits already.
        """
        if not self._room.take(size_bytes):
            raise Overloaded("too many requests wait for decoding; try again with backoff")
        self._pool.submit(self._run, work, size_bytes)

    def stop(self) -> None:
        """Ends after what runs now; what waits has nobody left to answer to."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, work: Callable[[], None], size_bytes: int) -> None:
        try:
            work()
        finally:
            self._room.give_back(size_bytes)


def _refusal(error: ImageError, index: int) -> InvalidInput:
    return _REFUSALS[error.reason](f"image {index}: {error}", index=str(index))
