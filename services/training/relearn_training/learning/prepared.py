"""The samples of a study as arrays on disk, decoded once and mapped by every trial.

    pixels.npy       [m >= n, h, w, c] uint8; rows from n on are unused
    labels.npy       [n] int64, index into the classes
    samples.parquet  n rows: sample_id, use, stream, probability, version_n
    prepared.json    preprocessing, classes, what was left out

Numpy files are read without pickle; nothing here runs code when loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from relearn_media import Preprocessing

COLUMNS = {
    "sample_id": pl.String,
    "use": pl.String,
    "stream": pl.String,
    "probability": pl.Float64,
    "version_n": pl.Int64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Samples of one study, n rows in the same order everywhere.

    Attributes:
        pixels: [n, h, w, c] uint8, mapped from disk.
        labels: [n] int64.
        samples: the columns of COLUMNS.
        left_out: samples of the pack that could not be used, by reason.
        new_labels: training samples that the champion has not seen.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    samples: pl.DataFrame
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    left_out: dict[str, int]
    new_labels: int

    def column(self, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
        """Values of one column at some rows; no nulls in text and integer columns."""
        return np.asarray(self.samples[name].to_numpy()[rows])


def room(directory: Path, *, samples: int, height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """Where the pixels of so many samples are to be put: on disk, for together they may not fit into memory."""
    directory.mkdir(parents=True, exist_ok=True)
    shape = (samples, height, width, channels)
    return np.lib.format.open_memmap(directory / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)


def write(directory: Path, prepared: Prepared) -> None:
    """Put everything but the pixels beside them, which are in `room`; `prepared.json` comes last: all is there."""
    np.save(directory / "labels.npy", prepared.labels, allow_pickle=False)
    prepared.samples.write_parquet(directory / "samples.parquet")
    facts = {
        "preprocessing": prepared.preprocessing.to_dict(),
        "classes": list(prepared.classes),
        "left_out": prepared.left_out,
        "new_labels": prepared.new_labels,
    }
    partial = directory / "prepared.json.partial"
    partial.write_text(json.dumps(facts), encoding="utf-8")
    partial.rename(directory / "prepared.json")


def read(directory: Path) -> Prepared:
    """What `write` wrote, pixels mapped copy-on-write: torch refuses to wrap read-only memory."""
    facts = json.loads((directory / "prepared.json").read_text(encoding="utf-8"))
    labels = np.load(directory / "labels.npy", allow_pickle=False)
    return Prepared(
        pixels=np.load(directory / "pixels.npy", mmap_mode="c", allow_pickle=False)[: len(labels)],
        labels=labels,
        samples=pl.read_parquet(directory / "samples.parquet"),
        preprocessing=Preprocessing.from_dict(facts["preprocessing"]),
        classes=tuple(facts["classes"]),
        left_out=dict(facts["left_out"]),
        new_labels=int(facts["new_labels"]),
    )
