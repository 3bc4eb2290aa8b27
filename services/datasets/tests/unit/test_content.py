"""Bytes looked at before they are kept."""

from __future__ import annotations

import hashlib
import io
import wave

import av
import numpy as np
import pytest
from PIL import Image

from relearn_datasets.content import MAX_BYTES, Inspector
from relearn_datasets.domain.errors import (
    ImageAnimated,
    ImageFormatUnsupported,
    ImageTooLarge,
    ImageUndecodable,
    OtherInputKind,
    SampleRefused,
    SampleTooLarge,
)
from relearn_datasets.domain.imports import check_name
from relearn_media import Modality, encode_png
from relearn_runtime.errors import InvalidInput


def animated_png() -> bytes:
    first, second = (Image.new("L", (8, 8), value) for value in (0, 255))
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=[second])
    return buffer.getvalue()


PNG = encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1))


TEXT = "Größe \U0001f600".encode()


def wav(seconds: float = 0.5) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * round(8000 * seconds)))
    return buffer.getvalue()


def video() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(5):
            pixels = np.full((32, 32, 3), number * 50, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    return buffer.getvalue()


SAMPLES = {Modality.IMAGE: PNG, Modality.TEXT: TEXT, Modality.AUDIO: wav(), Modality.VIDEO: video()}
TYPES = {
    Modality.IMAGE: "image/png",
    Modality.TEXT: "text/plain; charset=utf-8",
    Modality.AUDIO: "audio/wav",
    Modality.VIDEO: "video/mp4",
}


@pytest.fixture(scope="module")
def inspector():
    made = Inspector()
    yield made
    made.close()


def test_a_picture_is_named_by_its_bytes_and_typed_by_its_content(inspector):
    content = inspector.inspect(PNG, Modality.IMAGE)

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
def test_what_is_no_picture_is_refused_by_name(inspector, data, error, reason):
    with pytest.raises(error) as raised:
        inspector.inspect(data, Modality.IMAGE)

    assert raised.value.reason == reason


@pytest.mark.parametrize("wanted", Modality)
def test_a_sample_of_each_modality_is_typed_by_its_bytes_and_the_others_are_refused(inspector, wanted):
    for modality, data in SAMPLES.items():
        if modality is wanted:
            assert inspector.inspect(data, wanted).media_type == TYPES[modality]
            continue
        with pytest.raises(ImageFormatUnsupported if wanted is Modality.IMAGE else OtherInputKind):
            inspector.inspect(data, wanted)


@pytest.mark.parametrize(
    ("wanted", "data", "error", "reason"),
    [
        (Modality.TEXT, b"", SampleRefused, "MEDIA_EMPTY"),
        (Modality.TEXT, b"\xff\xfea\0", SampleRefused, "TEXT_NOT_UTF8"),
        (Modality.TEXT, b"caf\xe9", SampleRefused, "TEXT_NOT_UTF8"),
        (Modality.TEXT, b"a" * (8 * 2**20 + 1), SampleTooLarge, "TEXT_TOO_LARGE"),
        (Modality.AUDIO, wav()[:20], SampleRefused, "MEDIA_UNDECODABLE"),
        (Modality.AUDIO, wav(0), SampleRefused, "AUDIO_WITHOUT_SAMPLES"),
        (Modality.AUDIO, b"RIFF\0\0\0\0WAVE" + bytes(MAX_BYTES), SampleTooLarge, "MEDIA_TOO_LARGE"),
        (Modality.VIDEO, video()[:100], SampleRefused, "MEDIA_UNDECODABLE"),
        (Modality.VIDEO, bytes(100), SampleRefused, "MEDIA_UNKNOWN"),
    ],
)
def test_what_is_no_sample_is_refused_with_its_reason(inspector, wanted, data, error, reason):
    with pytest.raises(error) as raised:
        inspector.inspect(data, wanted)

    assert raised.value.metadata == {"media_reason": reason}
    assert raised.type is error


@pytest.mark.parametrize("name", ["", "holiday\u00a0photos", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "k" * 500])
def test_a_name_is_any_text(name):
    assert check_name(name, what="group_key") == name


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x7f", "a\x85b", "k" * 501])
def test_a_name_that_cannot_be_shown_is_refused(name):
    with pytest.raises(InvalidInput, match="group_key has"):
        check_name(name, what="group_key")
