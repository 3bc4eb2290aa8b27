"""The kind of media by its first bytes."""

from __future__ import annotations

import pytest

from relearn_media.errors import MediaRefused
from relearn_media.signatures import Container, container_of


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Container.PNG),
        (b"\xff\xd8\xff\xe0", Container.JPEG),
        (b"RIFF\x24\0\0\0WAVEfmt ", Container.WAV),
        (b"RIFF\x24\0\0\0AVI LIST", Container.AVI),
        (b"fLaC\0\0\0\x22", Container.FLAC),
        (b"OggS\0\x02", Container.OGG),
        (b"ID3\x04\0\0", Container.MP3),
        (b"\xff\xfb\x90\x64", Container.MP3),
        (b"\0\0\0\x20ftypisom", Container.MP4),
        (b"\x1a\x45\xdf\xa3", Container.EBML),
        (b"#EXTM3U\n", Container.TEXT),
        (b"<svg>", Container.TEXT),
        ("\ufeffa".encode(), Container.TEXT),
    ],
)
def test_a_signature_tells_the_container(head, container):
    assert container_of(head) is container


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "MEDIA_EMPTY"),
        (b"PK\x03\x04\x14\0\0\0", "MEDIA_UNKNOWN"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "MEDIA_UNKNOWN"),
        ("a".encode("utf-16-le"), "MEDIA_UNKNOWN"),
        ("a".encode("utf-16"), "TEXT_NOT_UTF8"),
        ("a".encode("utf-32"), "TEXT_NOT_UTF8"),
        (b"\xff\xff\xff\xff\0", "MEDIA_UNKNOWN"),  # nearly a frame of MP3
    ],
)
def test_what_has_no_signature_is_refused(head, reason):
    with pytest.raises(MediaRefused) as refused:
        container_of(head)

    assert refused.value.reason == reason
