"""The sound of a file as blocks of samples, and what people see of it: peaks and a spectrogram."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from relearn_media.containers import Measured, Sound, at_s, decoded_frames, opened
from relearn_media.errors import MediaRefused

Samples = npt.NDArray[np.float32]

_GAP_S = 0.05  # a jump of the clock beyond this is silence, or a repeat; less is rounding
_SILENCE = 1 << 16  # samples at once


def sound_blocks(source: Path, measured: Measured, sound: Sound) -> Iterator[Samples]:
    """The sound [n, channels] in its own rate, gapless from what people see as zero to its end.

    Silence fills what the file leaves out; not-a-numbers are silence too, what is too loud is clipped to [-1, 1].
    """
    end = round((sound.end_s - measured.start_s) * sound.sample_rate)
    done = 0
    for at, samples in _placed(source, measured, sound):
        for missing in range(min(at, end) - done, 0, -_SILENCE):
            yield np.zeros((min(missing, _SILENCE), sound.channels), np.float32)
        done = max(done, min(at, end))
        fresh = samples[done - at :][: end - done]  # without what lies before zero or was heard already
        if len(fresh):
            yield fresh
            done += len(fresh)


def _placed(source: Path, measured: Measured, sound: Sound) -> Iterator[tuple[int, Samples]]:
    """Blocks as they are decoded, each with the number of its first sample, which may be negative."""
    resampler = AudioResampler(format="flt")
    at: int | None = None
    with source.open("rb") as file, opened(file, measured.format) as container:
        whole = decoded_frames(container, sound.stream)
        for frame in (plain for block in whole for plain in _plain(resampler, block)):
            told_s = at_s(frame)
            told = None if told_s is None else round((told_s - measured.start_s) * sound.sample_rate)
            if at is None or (told is not None and abs(told - at) > _GAP_S * sound.sample_rate):
                at = told or 0
            samples = frame.to_ndarray().reshape(-1, sound.channels)
            yield at, np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
            at += len(samples)


def _plain(resampler: AudioResampler, block: AudioFrame) -> list[AudioFrame]:
    try:
        return resampler.resample(block)
    except ValueError as error:
        raise MediaRefused("AUDIO_CHANGES_FORMAT", "rate or channels change within the sound") from error


class Peaks:
    """The lowest and the highest sample of each of evenly long stretches.

    Args:
        length: of the whole, in samples; what lies beyond is not counted.
        stretches: how many.
    """

    def __init__(self, *, length: int, stretches: int) -> None:
        self._length, self._stretches, self._at = length, stretches, 0
        cells = min(length, stretches)
        self._low, self._high = np.zeros(cells, np.float32), np.zeros(cells, np.float32)
        self._touched = np.zeros(cells, np.bool_)

    def add(self, samples: Samples) -> None:
        """The next samples [n >= 1, channels]."""
        samples = samples[: self._length - self._at]
        if not len(samples):
            return
        cells = (self._at + np.arange(len(samples), dtype=np.int64)) * len(self._low) // self._length
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        where = cells[starts]
        low, high = np.minimum.reduceat(samples.min(axis=1), starts), np.maximum.reduceat(samples.max(axis=1), starts)
        fresh = ~self._touched[where]
        self._low[where] = np.where(fresh, low, np.minimum(self._low[where], low))
        self._high[where] = np.where(fresh, high, np.maximum(self._high[where], high))
        self._touched[where] = True
        self._at += len(samples)

    def pairs(self) -> list[list[float]]:
        """[lowest, highest] of each stretch, rounded to 1/10,000; a sound of fewer samples repeats them."""
        source = np.arange(self._stretches, dtype=np.int64) * len(self._low) // self._stretches
        pairs = np.stack([self._low[source], self._high[source]], axis=1).astype(np.float64)
        rounded: list[list[float]] = np.round(pairs, 4).tolist()
        return rounded


class Spectrogram:
    """How loud which frequency is when: time to the right over the whole length, mel scale upwards from 0 to half
    the sample rate, grey from `FLOOR_DB` below the loudest (black) to the loudest (white).

    Args:
        length: of the whole, in samples.
        columns, rows: of the picture, at most and exactly.

    Source: O'Shaughnessy (1987), "Speech Communication": mel = 2595 log10(1 + f / 700).
    """

    FLOOR_DB = 80.0
    _WINDOW_S = 0.04

    def __init__(self, *, length: int, sample_rate: int, columns: int, rows: int) -> None:
        self._length = length
        self._size = int(np.clip(2 ** round(np.log2(self._WINDOW_S * sample_rate)), 64, 8192))
        self._hop = max(1, min(self._size // 2, length // columns))
        self._window = np.hanning(self._size).astype(np.float32)
        self._bands = _mel_bands(sample_rate=sample_rate, size=self._size, rows=rows)
        self._power = np.zeros((min(columns, max(1, length // self._hop)), rows), np.float32)
        self._pending = np.zeros(self._size // 2, np.float32)  # the first window is centred on the first sample
        self._at = 0  # sample that the centre of the next window lies on

    def add(self, samples: Samples) -> None:
        """The next samples [n, channels]."""
        self._feed(np.concatenate([self._pending, samples.mean(axis=1)]))

    def picture(self) -> npt.NDArray[np.uint8]:
        """[rows, columns]; the lowest frequency is the last row."""
        self._feed(np.concatenate([self._pending, np.zeros(self._size, np.float32)]))
        loudest = float(self._power.max())
        if loudest <= 0:
            return np.zeros(self._power.T.shape, np.uint8)
        decibels = 10 * np.log10(np.maximum(self._power / loudest, 10 ** (-self.FLOOR_DB / 10)))
        return np.ascontiguousarray(np.rint((1 + decibels / self.FLOOR_DB) * 255).astype(np.uint8).T[::-1])

    def _feed(self, samples: Samples) -> None:
        windows = max(0, (len(samples) - self._size) // self._hop + 1)
        for first in range(0, windows, 512):  # so many spectra at once are a few megabytes
            count = min(512, windows - first)
            part = samples[first * self._hop : (first + count - 1) * self._hop + self._size]
            framed = np.lib.stride_tricks.sliding_window_view(part, self._size)[:: self._hop]
            spectra = np.abs(np.fft.rfft(framed * self._window, axis=1)).astype(np.float32) ** 2
            columns = (self._at + np.arange(count, dtype=np.int64) * self._hop) * len(self._power) // self._length
            inside = columns < len(self._power)
            np.maximum.at(self._power, columns[inside], (spectra @ self._bands)[inside])
            self._at += count * self._hop
        self._pending = samples[windows * self._hop :]


def _mel_bands(*, sample_rate: int, size: int, rows: int) -> Samples:
    """[size / 2 + 1, rows] weights: triangles of one row's width, though never narrower than what is measured."""
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, rows + 2) / 2595) - 1)
    centres, widths = edges[1:-1], np.maximum((edges[2:] - edges[:-2]) / 2, sample_rate / size)
    weights = np.maximum(0, 1 - np.abs(frequencies[:, None] - centres) / widths)
    scaled: Samples = (weights / np.maximum(weights.sum(axis=0), 1e-9)).astype(np.float32)
    return scaled
