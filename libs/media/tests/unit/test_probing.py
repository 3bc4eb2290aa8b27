"""What a picture, a text, a sound or a video is, and what is refused."""

from __future__ import annotations

import io
from fractions import Fraction

import made_media as made
import pytest
from PIL import Image

from relearn_media import (
    AudioLimits,
    ImageLimits,
    MediaInfo,
    MediaLimits,
    MediaRefused,
    Modality,
    TextLimits,
    VideoLimits,
    probe,
)

SECOND = made.wav(made.tone(seconds=1))


def picture(format, size, orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, format, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_as_wide_as_it_is_shown(format, orientation):
    info = probe(picture(format, (30, 20), orientation))

    assert (info.width, info.height) == ((30, 20) if orientation < 5 else (20, 30))
    assert info.media_type == f"image/{format.lower()}"


def test_a_text_is_as_long_as_a_browser_finds_it(tmp_path):
    (tmp_path / "text.png").write_bytes("\ufeffGröße \U0001f600".encode())

    assert probe(tmp_path / "text.png") == MediaInfo(
        media_type="text/plain; charset=utf-8", modality=Modality.TEXT, size_bytes=15, code_units=8
    )


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_mulaw"])
def test_a_sound_is_as_long_as_its_samples(codec):
    data = made.sound(made.tone(seconds=1.25, channels=2), format="wav", codec=codec, rate=8000)

    info = probe(data)

    assert (info.media_type, info.modality) == ("audio/wav", Modality.AUDIO)
    assert (info.length_s, info.channels, info.sample_rate) == (1.25, 2, 8000)
    assert (info.width, info.frames, info.frame_rate) == (None, None, None)


@pytest.mark.parametrize(
    ("format", "codec", "rate"), [("flac", "flac", 8000), ("ogg", "libopus", 48_000), ("mp4", "aac", 8000)]
)
def test_what_a_codec_pads_is_not_counted(format, codec, rate):
    assert probe(made.sound(made.tone(seconds=2, rate=rate), format=format, codec=codec, rate=rate)).length_s == 2


def test_a_video_tells_its_numbering():
    info = probe(made.video(30, rate=Fraction(30000, 1001), format="matroska"))

    assert (info.media_type, info.modality) == ("video/webm", Modality.VIDEO)
    assert (info.width, info.height, info.frames, info.frame_rate) == (64, 48, 30, Fraction(30000, 1001))
    assert info.length_s == pytest.approx(1.001)
    assert (info.channels, info.sample_rate) == (None, None)


def test_a_video_is_as_long_as_the_longer_of_pictures_and_sound():
    info = probe(made.video(30, format="webm", codec="libvpx", sound=made.tone(seconds=5)))

    assert info.frames == 30
    assert info.length_s == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize(
    ("limits", "data", "reason"),
    [
        (MediaLimits(image=ImageLimits(max_bytes=10)), picture("PNG", (3, 3)), "IMAGE_TOO_LARGE"),
        (MediaLimits(image=ImageLimits(max_pixels=8)), picture("JPEG", (3, 3)), "IMAGE_TOO_LARGE"),
        (MediaLimits(text=TextLimits(max_bytes=2)), b"abc", "TEXT_TOO_LARGE"),
        (MediaLimits(audio=AudioLimits(max_bytes=500)), made.wav(made.tone(seconds=1)), "AUDIO_TOO_LARGE"),
        (MediaLimits(audio=AudioLimits(max_length_s=0.9)), made.wav(made.tone(seconds=1)), "AUDIO_TOO_LONG"),
        (
            MediaLimits(audio=AudioLimits(max_sample_rate=7999)),
            made.wav(made.tone(seconds=1)),
            "AUDIO_RATE_UNSUPPORTED",
        ),
    ],
)
def test_a_limit_is_held(limits, data, reason):
    with pytest.raises(MediaRefused) as refused:
        probe(data, limits)

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (VideoLimits(max_bytes=500), "VIDEO_TOO_LARGE"),
        (VideoLimits(max_pixels=64 * 48 - 1), "VIDEO_TOO_LARGE"),
        (VideoLimits(max_side=63), "VIDEO_TOO_LARGE"),
        (VideoLimits(max_length_s=2.9), "VIDEO_TOO_LONG"),
        (VideoLimits(max_frames=29), "VIDEO_TOO_LONG"),
        (VideoLimits(max_frame_rate=9), "VIDEO_RATE_UNSUPPORTED"),
    ],
)
@pytest.mark.parametrize("format", ["mp4", "avi"])
def test_a_limit_on_videos_is_held(limits, reason, format):
    data = made.video(30, rate=10, format=format, codec="mpeg4")

    with pytest.raises(MediaRefused) as refused:
        probe(data, MediaLimits(video=limits))

    assert refused.value.reason == reason


def test_a_file_larger_than_any_limit_is_not_read():
    tiny = MediaLimits(audio=AudioLimits(max_bytes=10), video=VideoLimits(max_bytes=20))

    with pytest.raises(MediaRefused) as refused:
        probe(b"OggS" + bytes(100), tiny)

    assert refused.value.reason == "MEDIA_TOO_LARGE"
