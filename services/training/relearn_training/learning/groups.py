"""Which samples a model may learn from, and which may judge it. No torch here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.int64]


def groups_of(samples: pl.DataFrame, *, champion_version_n: int) -> tuple[Rows, Rows, Rows]:
    """Training rows by what they are to an update: imported, the loop's earlier labels, its new ones.

    Only streams that may be trained on count: a disagreement's label judges and is never learned from, whatever the
    use of its sample; an audit's likewise. Without a champion nothing is new.

    Args:
        samples: with the columns use, stream and version_n.
        champion_version_n: number of the dataset version the champion learned from; 0 without one.
    """
    train, stream = _column(samples, "use") == "train", _column(samples, "stream")
    version = samples["version_n"].to_numpy().astype(np.int64)
    selected = train & (stream == "selected")
    new = selected & (version > champion_version_n) & (champion_version_n > 0)
    return np.flatnonzero(train & (stream == "imported")), np.flatnonzero(selected & ~new), np.flatnonzero(new)


def judged(samples: pl.DataFrame) -> Rows:
    """Validation rows that may judge: imported samples and audits, never disagreements."""
    stream = _column(samples, "stream")
    return np.flatnonzero((_column(samples, "use") == "validation") & ((stream == "imported") | (stream == "audit")))


def reference(samples: pl.DataFrame) -> Rows:
    """Rows of the provisional reference: held-out imported samples, or audits where there are none."""
    rows = judged(samples)
    imported = rows[_column(samples, "stream")[rows] == "imported"]
    return imported if len(imported) else rows


def _column(samples: pl.DataFrame, name: str) -> npt.NDArray[np.generic]:
    return samples[name].to_numpy()
