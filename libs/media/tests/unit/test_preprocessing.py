import json

import numpy as np
import pytest

from relearn_media import Preprocessing, preprocess, statistics

GREY = Preprocessing(height=2, width=3, channels=1, mean=(0.5,), std=(0.25,))
RGB = Preprocessing(height=2, width=2, channels=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))


def test_preprocess_scales_shifts_and_puts_channels_first():
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, 1] = (255, 255, 255)

    inputs = preprocess(pixels, RGB)

    assert inputs.shape == (1, 3, 2, 2)
    assert inputs.dtype == np.float32
    assert inputs.flags.c_contiguous
    np.testing.assert_allclose(inputs[0, :, 0, 1], [1.0, 1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(inputs[0, :, 0, 0], [0.0, -1.0, -4.0], atol=1e-6)


def test_an_empty_batch_stays_empty():
    assert preprocess(np.zeros((0, 2, 3, 1), np.uint8), GREY).shape == (0, 1, 2, 3)


def test_preprocess_rejects_another_size_and_another_type():
    with pytest.raises(ValueError, match="pixels must be"):
        preprocess(np.zeros((1, 3, 2, 1), np.uint8), GREY)
    with pytest.raises(ValueError, match="pixels must be"):
        preprocess(np.zeros((1, 2, 3, 1), np.float32), GREY)


def test_preprocessing_survives_json():
    assert Preprocessing.from_dict(json.loads(json.dumps(RGB.to_dict()))) == RGB


@pytest.mark.parametrize(
    "change",
    [{"kind": "audio"}, {"resize": "crop"}, {"std": [0.0, 1.0, 1.0]}, {"mean": [0.0]}, {"height": 0}, {"width": None}],
)
def test_unknown_or_impossible_preprocessing_is_refused(change):
    with pytest.raises(ValueError, match=r"preprocessing|std|mean|height"):
        Preprocessing.from_dict(RGB.to_dict() | change)


def test_statistics_of_a_half_white_picture():
    pixels = np.zeros((4, 4, 1), np.uint8)
    pixels[:, 2:] = 255

    found = statistics(pixels)

    assert (found.width, found.height, found.channels) == (4, 4, 1)
    assert found.brightness == pytest.approx(0.5)
    assert found.contrast == pytest.approx(0.5)
    assert found.sharpness == pytest.approx(4 / 24)


def test_statistics_of_one_pixel():
    found = statistics(np.full((1, 1, 3), 51, np.uint8))

    assert (found.brightness, found.contrast, found.sharpness) == pytest.approx((0.2, 0.0, 0.0))


def test_statistics_of_a_large_bright_picture_keep_their_small_differences():
    pixels = np.random.default_rng(0).integers(250, 256, (600, 500, 3)).astype(np.uint8)
    values = pixels.astype(np.float64) / 255

    found = statistics(pixels)

    edges = np.concatenate([np.abs(np.diff(values, axis=axis)).ravel() for axis in (0, 1)])
    expected = (values.mean(), values.std(), edges.mean())
    np.testing.assert_allclose((found.brightness, found.contrast, found.sharpness), expected, rtol=1e-4)
