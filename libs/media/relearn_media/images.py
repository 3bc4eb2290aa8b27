"""Encoded bytes to pixels and back, for PNG and JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin, PngImagePlugin

from relearn_media.errors import ImageError
from relearn_media.formats import ImageFormat, ImageInfo, probe_image

Pixels = npt.NDArray[np.uint8]

# The opener of each format by name: never Image.open, which tries other formats and only warns about bombs.
_OPENERS = {ImageFormat.PNG: PngImagePlugin.PngImageFile, ImageFormat.JPEG: JpegImagePlugin.JpegImageFile}
# Whatever a decoder raises about damaged bytes; EXIF and PNG chunks are parsed by Python code, hence the list. Not
# MemoryError: the size is capped before anything is decoded, so the machine is full and the bytes may be fine.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, IndexError, OverflowError)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTERS = {_TURNS[turn] for turn in (5, 6, 7, 8)}  # those that swap width and height


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """Caps that hold before anything is decoded.

    Attributes:
        max_side: of either side, by default the longest that JPEG knows. Resizing needs 16 bytes for each pixel of a
            side, so that a file of few bytes and 50 million by one pixels would take 800 MB.
    """

    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side: int = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """The picture a model wants: its height and width, and 1 (grey) or 3 (RGB) channels."""

    height: int
    width: int
    channels: int
    limits: ImageLimits = field(default_factory=ImageLimits)

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {self.channels}")
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise ValueError(f"height and width must be in 1..4096, got {self.height} x {self.width}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """Pixels [h, w, c] uint8 in the size of the spec, and what the header said about the original."""

    pixels: Pixels
    source: ImageInfo


def decode(data: bytes, spec: ImageSpec) -> DecodedImage:
    """A PNG or JPEG as the pixels that `spec` asks for.

    Any size is resized by stretching, with an antialiased triangle filter (Pillow's BILINEAR): the whole picture is
    kept, its aspect ratio is not. EXIF orientation is applied. Palettes, 1-bit, CMYK and 16-bit pictures become 8-bit
    grey or RGB (16 bit keeps the high part); transparency is laid over white. Colour to grey is ITU-R 601 luma; grey
    to colour repeats the channel.

    Raises:
        ImageError: see its reasons.
    """
    with _opened(data, spec.limits) as (info, image):
        image.load()
        return DecodedImage(pixels=_pixels(image, spec), source=info)


@contextmanager
def _opened(data: bytes, limits: ImageLimits) -> Iterator[tuple[ImageInfo, Image.Image]]:
    """A picture whose header is within the limits; what the block raises about damaged bytes becomes an ImageError."""
    if len(data) > limits.max_bytes:
        raise ImageError("IMAGE_TOO_LARGE", f"{len(data)} bytes encoded, at most {limits.max_bytes} are accepted")
    info = probe_image(data)
    if info.pixels > limits.max_pixels or max(info.width, info.height) > limits.max_side:
        raise ImageError(
            "IMAGE_TOO_LARGE",
            f"{info.width} x {info.height} pixels, at most {limits.max_pixels} and {limits.max_side} a side "
            "are accepted",
        )
    try:
        with _OPENERS[info.format](io.BytesIO(data)) as image:
            if image.size != (info.width, info.height):  # a second header would pass by the caps
                raise ImageError(
                    "IMAGE_UNDECODABLE", f"headers of {info.width} x {info.height} and {image.width} x {image.height}"
                )
            if getattr(image, "is_animated", False):
                raise ImageError("IMAGE_ANIMATED", "an animated picture; send one frame")
            yield info, image
    except ImageError:
        raise
    except _DAMAGED as error:
        raise ImageError("IMAGE_UNDECODABLE", f"the {info.format.name} is damaged or truncated: {error}") from error


def decode_image(data: bytes, spec: ImageSpec) -> Pixels:
    """`decode` without the particulars: [h, w, c] uint8. Raises ImageError."""
    return decode(data, spec).pixels


def upright_size(data: bytes, limits: ImageLimits) -> tuple[ImageInfo, int, int]:
    """What the header says, and width and height after the EXIF turn; nothing is decoded. Raises ImageError."""
    with _opened(data, limits) as (info, image):
        width, height = (info.height, info.width) if _turn(image) in _QUARTERS else (info.width, info.height)
        return info, width, height


def shrunk(data: bytes, limits: ImageLimits, *, max_side: int) -> Image.Image:
    """The whole picture upright, L or RGB, with its longer side at most `max_side`. Raises ImageError."""
    with _opened(data, limits) as (_, image):
        image.draft(None, (max_side, max_side))  # a JPEG is decoded at a fraction of its size where that is enough
        image.load()
        turn, opaque = _turn(image), _opaque(image)
        if opaque.mode not in ("L", "RGB"):
            opaque = opaque.convert("L" if opaque.mode == "1" else "RGB")
        opaque.thumbnail((max_side, max_side))
        return opaque if turn is None else opaque.transpose(turn)


def encode_png(pixels: Pixels) -> bytes:
    """A lossless PNG of [h, w, 1], [h, w, 3] or [h, w] uint8 pixels; equal pixels give equal bytes."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3)):
        raise ValueError(f"pixels must be uint8 [h, w], [h, w, 1] or [h, w, 3], got {pixels.dtype} {pixels.shape}")
    flat = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _pixels(image: Image.Image, spec: ImageSpec) -> Pixels:
    mode = "L" if spec.channels == 1 else "RGB"
    turn = _turn(image)
    opaque = _opaque(image)
    if opaque.mode != mode:
        opaque = opaque.convert(mode)
    if turn is not None:
        opaque = opaque.transpose(turn)
    if opaque.size != (spec.width, spec.height):
        opaque = opaque.resize((spec.width, spec.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(opaque, dtype=np.uint8)
    return pixels[:, :, None] if spec.channels == 1 else pixels


def _opaque(image: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel and without transparency."""
    if image.mode.startswith(("I", "F")):  # 16-bit grey: Pillow's own convert would clip at 255
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return image


def _turn(image: Image.Image) -> Image.Transpose | None:
    """The turn that EXIF asks for. Damaged EXIF counts as none: browsers show such a picture unturned too."""
    if "exif" not in image.info:
        return None
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow's EXIF reader raises what it meets; the pixels are fine
        return None
