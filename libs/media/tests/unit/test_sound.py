"""Peaks and spectrograms against sounds that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from relearn_media.renditions.sound import Peaks, Spectrogram


def peaks(samples, *, length, stretches, block):
    made = Peaks(length=length, stretches=stretches)
    for at in range(0, len(samples), block):
        made.add(samples[at : at + block])
    return made.pairs()


@pytest.mark.parametrize("block", [1, 3, 7, 100])
def test_peaks_are_lowest_and_highest_of_each_stretch_however_the_sound_is_cut(block):
    samples = np.array([[0.1], [0.5], [-0.2], [-0.9], [0.0], [0.3]], np.float32)

    assert peaks(samples, length=6, stretches=3, block=block) == [[0.1, 0.5], [-0.9, -0.2], [0.0, 0.3]]


def test_peaks_reach_over_all_channels():
    samples = np.array([[0.1, -0.4], [0.2, 0.7]], np.float32)

    assert peaks(samples, length=2, stretches=1, block=2) == [[-0.4, 0.7]]


def test_a_sound_of_fewer_samples_than_stretches_repeats_them():
    samples = np.array([[0.5], [-0.5]], np.float32)

    assert peaks(samples, length=2, stretches=4, block=2) == [[0.5, 0.5]] * 2 + [[-0.5, -0.5]] * 2


def test_what_is_missing_at_the_end_is_silence_and_what_is_too_much_is_left_out():
    samples = np.full((3, 1), 0.5, np.float32)

    assert peaks(samples, length=6, stretches=2, block=3) == [[0.5, 0.5], [0.0, 0.0]]
    assert peaks(samples, length=2, stretches=2, block=3) == [[0.5, 0.5], [0.5, 0.5]]


def spectrogram(samples, *, rate, block, columns=100, rows=64):
    made = Spectrogram(length=len(samples), sample_rate=rate, columns=columns, rows=rows)
    for at in range(0, len(samples), block):
        made.add(samples[at : at + block, None])
    return made.picture()


def test_a_tone_is_one_bright_line_where_the_mel_scale_has_it_from_its_start_to_its_end():
    rate, hertz = 8000, 1000.0
    samples = np.sin(2 * np.pi * hertz * np.arange(2 * rate) / rate).astype(np.float32)
    samples[:rate] = 0

    picture = spectrogram(samples, rate=rate, block=999)

    def mel(frequency):
        return 2595 * np.log10(1 + frequency / 700)

    expected = 63 - round(mel(hertz) / mel(rate / 2) * 65 - 1)
    assert picture.shape == (64, 100)
    assert (np.abs(picture[:, 55:95].argmax(axis=0) - expected) <= 1).all()
    assert picture[:, 55:95].max() == 255
    assert picture[:, :45].max() == 0


@pytest.mark.parametrize("block", [1, 1000, 16_000])
def test_a_spectrogram_does_not_depend_on_how_the_sound_is_cut(block):
    samples = np.random.default_rng(0).uniform(-1, 1, 3000).astype(np.float32)

    np.testing.assert_array_equal(
        spectrogram(samples, rate=8000, block=block), spectrogram(samples, rate=8000, block=3000)
    )


@pytest.mark.parametrize("length", [1, 2, 63, 500])
def test_silence_and_the_shortest_sounds_have_a_spectrogram(length):
    picture = spectrogram(np.zeros(length, np.float32), rate=8000, block=length)

    assert picture.shape[0] == 64
    assert 1 <= picture.shape[1] <= 100
    assert picture.max() == 0
