"""Bytes looked at before they are kept."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from relearn_datasets.content import inspect
from relearn_datasets.domain.errors import ImageAnimated, ImageFormatUnsupported, ImageTooLarge, ImageUndecodable
from relearn_datasets.domain.imports import check_name
from relearn_media import encode_png
from relearn_runtime.errors import InvalidInput


def animated_png() -> bytes:
    first, second = (Image.new("L", (8, 8), value) for value in (0, 255))
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=[second])
    return buffer.getvalue()


PNG = encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1))


def test_a_picture_is_named_by_its_bytes_and_typed_by_its_content():
    content = inspect(PNG)

    assert content.sha256 == hashlib.sha256(PNG).digest()
    assert (content.size_bytes, content.media_type) == (len(PNG), "image/png")


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (PNG[:50], ImageUndecodable, "IMAGE_UNDECODABLE"),
        (animated_png(), ImageAnimated, "IMAGE_ANIMATED"),
        (b"GIF89a", ImageFormatUnsupported, "IMAGE_FORMAT_UNSUPPORTED"),
        (PNG[:16] + b"\x00\x01\x00\x00" * 2 + PNG[24:], ImageTooLarge, "IMAGE_TOO_LARGE"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(data, error, reason):
    with pytest.raises(error) as raised:
        inspect(data)

    assert raised.value.reason == reason


@pytest.mark.parametrize("name", ["", "holiday\u00a0photos", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "k" * 500])
def test_a_name_is_any_text(name):
    assert check_name(name, what="group_key") == name


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x7f", "a\x85b", "k" * 501])
def test_a_name_that_cannot_be_shown_is_refused(name):
    with pytest.raises(InvalidInput, match="group_key has"):
        check_name(name, what="group_key")
