import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from relearn_media import ImageError, ImageFormat, encode_png, probe_image, sniff


def jpeg(width: int, height: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(buffer, format="JPEG", **options)
    return buffer.getvalue()


def test_sniff_tells_png_from_jpeg_by_the_first_bytes():
    assert sniff(encode_png(np.zeros((2, 2), np.uint8))) is ImageFormat.PNG
    assert sniff(jpeg(2, 2)) is ImageFormat.JPEG
    assert sniff(b"GIF89a") is None
    assert sniff(b"") is None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"x" * 60_000}])
def test_probe_reads_the_size_of_a_jpeg_behind_other_segments(options):
    info = probe_image(jpeg(37, 5, **options))

    assert (info.format, info.width, info.height, info.channels) == (ImageFormat.JPEG, 37, 5, 3)


def test_probe_reads_the_size_of_a_png():
    info = probe_image(encode_png(np.zeros((5, 37, 3), np.uint8)))

    assert (info.format, info.width, info.height, info.pixels) == (ImageFormat.PNG, 37, 5, 185)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 1), ("1", 1), ("P", 3), ("RGB", 3), ("RGBA", 3)])
def test_probe_tells_grey_from_colour(mode, channels):
    buffer = io.BytesIO()
    Image.new(mode, (4, 4)).save(buffer, format="PNG")

    assert probe_image(buffer.getvalue()).channels == channels


@pytest.mark.parametrize("size", range(4, 200, 7))
def test_probe_of_a_cut_off_jpeg_header_never_raises_anything_but_an_image_error(size):
    data = jpeg(37, 5)[:size]

    with contextlib.suppress(ImageError):
        assert probe_image(data).width == 37


def test_probe_refuses_a_picture_without_pixels():
    data = bytearray(encode_png(np.zeros((2, 2), np.uint8)))
    data[16:20] = bytes(4)

    with pytest.raises(ImageError, match="0 x 2") as caught:
        probe_image(bytes(data))

    assert caught.value.reason == "IMAGE_UNDECODABLE"
