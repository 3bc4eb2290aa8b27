"""Bytes looked at before they are kept."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from relearn_datasets.content import inspect
from relearn_datasets.domain.errors import ImageFormatUnsupported, ImageTooLarge, ImageUndecodable
from relearn_media import encode_png

PNG = encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1))


def test_a_picture_is_named_by_its_bytes_and_typed_by_its_content():
    content = inspect(PNG)

    assert content.sha256 == hashlib.sha256(PNG).digest()
    assert (content.size_bytes, content.media_type) == (len(PNG), "image/png")


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (PNG[:50], ImageUndecodable, "IMAGE_UNDECODABLE"),
        (b"GIF89a", ImageFormatUnsupported, "IMAGE_FORMAT_UNSUPPORTED"),
        (PNG[:16] + b"\x00\x01\x00\x00" * 2 + PNG[24:], ImageTooLarge, "IMAGE_TOO_LARGE"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(data, error, reason):
    with pytest.raises(error) as raised:
        inspect(data)

    assert raised.value.reason == reason
