import contextlib
import io
import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from relearn_media import ImageError, ImageLimits, ImageSpec, decode, decode_image, encode_png

GREY_28 = ImageSpec(height=28, width=28, channels=1)
RGB_8 = ImageSpec(height=8, width=8, channels=3)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_zeros(width: int, height: int) -> bytes:
    """A valid grey PNG whose bytes are few and whose pixels are many."""
    rows = zlib.compressobj(9)
    row = bytes(1 + width)
    body = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def reason_of(data: bytes, spec: ImageSpec = GREY_28) -> str:
    with pytest.raises(ImageError) as caught:
        decode_image(data, spec)
    return caught.value.reason


def test_a_png_of_the_right_size_and_mode_keeps_every_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)

    np.testing.assert_array_equal(decode_image(encode_png(pixels), GREY_28), pixels)


def test_the_source_size_is_told_beside_the_resized_pixels():
    decoded = decode(encode_png(np.zeros((31, 17, 3), np.uint8)), GREY_28)

    assert decoded.pixels.shape == (28, 28, 1)
    assert (decoded.source.width, decoded.source.height) == (17, 31)


def test_a_one_pixel_picture_fills_the_input():
    pixels = decode_image(encode_png(np.full((1, 1, 1), 77, np.uint8)), GREY_28)

    assert pixels.shape == (28, 28, 1)
    assert (pixels == 77).all()


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255

    pixels = decode_image(encode_png(stripes), ImageSpec(height=8, width=8, channels=1))

    assert abs(pixels[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_grey_becomes_colour_by_repeating_and_colour_becomes_grey_by_luma():
    grey = decode_image(encode_png(np.full((8, 8, 1), 90, np.uint8)), RGB_8)
    green = decode_image(encoded(Image.new("RGB", (28, 28), (0, 255, 0))), GREY_28)

    assert grey.shape == (8, 8, 3)
    assert (grey == 90).all()
    assert (green == 150).all()


def test_a_palette_picture_shows_its_colours():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])

    assert (decode_image(encoded(image), RGB_8) == (10, 200, 30)).all()


def test_transparency_is_laid_over_white_in_every_form_png_has():
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    half = Image.new("LA", (8, 8), (0, 128))

    assert (decode_image(encoded(Image.new("RGBA", (8, 8), (9, 9, 9, 0))), RGB_8) == 255).all()
    assert (decode_image(encoded(palette, transparency=1), RGB_8) == 255).all()
    assert (decode_image(encoded(Image.new("RGB", (8, 8), (1, 2, 3)), transparency=(1, 2, 3)), RGB_8) == 255).all()
    assert abs(int(decode_image(encoded(half), RGB_8)[0, 0, 0]) - 127) <= 1


def test_sixteen_bit_grey_is_scaled_not_clipped():
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    spec = ImageSpec(height=1, width=5, channels=1)

    pixels = decode_image(encoded(Image.fromarray(values)), spec)

    assert pixels[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_one_bit_pictures_are_black_and_white():
    assert (decode_image(encoded(Image.new("1", (28, 28), 1)), GREY_28) == 255).all()


def test_a_cmyk_jpeg_is_not_inverted():
    red = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)

    r, g, b = decode_image(red, RGB_8)[4, 4]

    assert r > 230
    assert max(g, b) < 30


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(format):
    image = Image.new("L", (16, 8), 0)
    image.paste(255, (0, 0, 8, 8))  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view: left becomes top

    pixels = decode_image(encoded(image, format, exif=exif), ImageSpec(height=16, width=8, channels=1))

    assert pixels[:6].min() > 240
    assert pixels[-6:].max() < 15


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow warns; nobody can act on it
def test_damaged_exif_is_ignored():
    data = encoded(Image.new("L", (28, 28), 60), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\0\0")

    assert abs(int(decode_image(data, GREY_28)[0, 0, 0]) - 60) <= 1


def test_a_bomb_is_refused_from_its_header_without_decoding(monkeypatch):
    bomb = png_of_zeros(12_000, 12_000)
    assert len(bomb) < 200_000
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded.append)

    assert reason_of(bomb) == "IMAGE_TOO_LARGE"
    assert decoded == []


def test_a_header_that_claims_huge_sizes_is_refused():
    data = bytearray(encode_png(np.zeros((4, 4), np.uint8)))
    data[16:24] = struct.pack(">II", 2**31 - 1, 2**31 - 1)

    assert reason_of(bytes(data)) == "IMAGE_TOO_LARGE"


def test_a_second_header_does_not_pass_by_the_cap():
    small, bomb = encode_png(np.zeros((4, 4), np.uint8)), png_of_zeros(8000, 8000)
    after_ihdr = 8 + 25

    assert reason_of(small[:after_ihdr] + bomb[8:]) == "IMAGE_UNDECODABLE"


def test_a_thin_picture_of_many_pixels_is_refused():
    assert reason_of(png_of_zeros(65_536, 1)) == "IMAGE_TOO_LARGE"
    assert decode_image(png_of_zeros(65_535, 1), GREY_28).shape == (28, 28, 1)


def test_more_bytes_than_allowed_are_refused_unread():
    spec = ImageSpec(height=4, width=4, channels=1, limits=ImageLimits(max_bytes=100))

    assert reason_of(bytes(101), spec) == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "WEBP"])
def test_other_formats_are_refused_by_name(format):
    assert reason_of(encoded(Image.new("RGB", (8, 8)), format)) == "IMAGE_FORMAT_UNSUPPORTED"


def test_nothing_and_text_are_refused():
    assert reason_of(b"") == "IMAGE_FORMAT_UNSUPPORTED"
    assert reason_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "IMAGE_FORMAT_UNSUPPORTED"


def test_an_animated_png_is_refused():
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    data = encoded(frames[0], save_all=True, append_images=frames[1:])

    assert reason_of(data) == "IMAGE_ANIMATED"


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_truncated_files_are_refused(format, share):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)

    assert reason_of(data[: int(len(data) * share)]) == "IMAGE_UNDECODABLE"


@given(at=st.integers(0, 900), value=st.integers(0, 255), format=st.sampled_from(["PNG", "JPEG"]))
def test_a_damaged_byte_gives_pixels_or_an_image_error_and_nothing_else(at, value, format):
    noise = np.random.default_rng(2).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = bytearray(encoded(Image.fromarray(noise), format))
    data[at % len(data)] = value

    with contextlib.suppress(ImageError):
        assert decode_image(bytes(data), RGB_8).shape == (8, 8, 3)


def test_an_error_keeps_its_reason_across_processes():
    error = pickle.loads(pickle.dumps(ImageError("IMAGE_TOO_LARGE", "too large")))

    assert (error.reason, str(error)) == ("IMAGE_TOO_LARGE", "too large")


@pytest.mark.parametrize("shape", [(4, 4, 2), (4,), (4, 4, 4)])
def test_encode_png_refuses_what_it_cannot_keep(shape):
    with pytest.raises(ValueError, match="pixels must be"):
        encode_png(np.zeros(shape, np.uint8))


def test_a_spec_refuses_impossible_sizes():
    with pytest.raises(ValueError, match="channels"):
        ImageSpec(height=8, width=8, channels=2)
    with pytest.raises(ValueError, match="height and width"):
        ImageSpec(height=0, width=8, channels=1)
