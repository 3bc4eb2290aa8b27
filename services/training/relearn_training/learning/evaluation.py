"""What is known about a trained model: measurements, results by class, an answer for every validation sample."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from relearn_training.domain.measurements import Measurement, of_score
from relearn_training.domain.objective import score
from relearn_training.learning import calibration
from relearn_training.learning.prepared import Prepared
from relearn_training.learning.trial import Trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The outcome of a trial.

    Attributes:
        objective: higher is better; see relearn_training.domain.objective.
        temperature: by which logits are divided before softmax.
        details: results by class, confusion, curve; plain JSON values.
        answers: Parquet, one row a validation sample; see `_answers`.
    """

    objective: float
    temperature: float
    measurements: tuple[Measurement, ...]
    details: dict[str, Any]
    answers: bytes


def evaluate(trained: Trained, prepared: Prepared) -> Evaluation:
    """Judge a trained model by its answers to the validation samples that may judge."""
    labels = prepared.labels[trained.rows]
    voices = trained.witnesses
    # calibrated on what it is chosen by: under a shift, confidence on old pictures alone would promise too much
    temperature = calibration.temperature(trained.logits, labels, voices.weights)
    probabilities = calibration.probabilities(trained.logits, temperature)
    predicted = probabilities.argmax(axis=1)
    correct = predicted == labels
    objective = float(voices.weights @ correct)
    measurements = [
        Measurement(name="objective", value=objective),
        Measurement(name="temperature", value=temperature),
    ]
    details: dict[str, Any] = {"left_out": prepared.left_out, "curve": [asdict(point) for point in trained.curve]}
    for name, mask in (("imported", voices.imported), ("audit", voices.audits)):
        if not mask.any():
            continue
        weights = voices.within[mask]
        share = score(correct[mask], weights)
        assert share is not None  # noqa: S101 - the mask is not empty
        majority = np.bincount(labels[mask], weights=weights, minlength=len(prepared.classes)).max()
        measurements += [
            of_score(f"accuracy/{name}", share),
            Measurement(name=f"majority/{name}", value=float(majority), samples=share.samples),
            Measurement(
                name=f"log_loss/{name}",
                value=calibration.log_loss(trained.logits[mask], labels[mask], weights, temperature),
                samples=share.samples,
            ),
            Measurement(
                name=f"calibration_error/{name}",
                value=calibration.calibration_error(probabilities[mask], labels[mask], weights),
                samples=share.samples,
            ),
        ]
        details[name] = by_class(labels[mask], predicted[mask], weights, prepared.classes)
    return Evaluation(
        objective=objective,
        temperature=temperature,
        measurements=tuple(measurements),
        details=details,
        answers=_answers(trained, prepared, probabilities),
    )


def by_class(
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Confusion (row: label, column: prediction), recall and precision of each class; None for no samples.

    Args:
        weights: [n] >= 0 with a positive sum. They are scaled to sum to n: equal ones give plain counts.
    """
    k = len(classes)
    counted = np.bincount(labels * k + predicted, weights=weights * len(labels) / weights.sum(), minlength=k * k)
    confusion = counted.reshape(k, k).round(6)
    right = confusion.diagonal()

    def share(totals: npt.NDArray[np.float64]) -> list[float | None]:
        return [float(hit / n) if n else None for hit, n in zip(right, totals, strict=True)]

    return {
        "classes": list(classes),
        "confusion": confusion.tolist(),
        "recall": share(confusion.sum(axis=1)),
        "precision": share(confusion.sum(axis=0)),
    }


def _answers(trained: Trained, prepared: Prepared, probabilities: npt.NDArray[np.float64]) -> bytes:
    """One row a judged sample: sample_id, stream, probability of an audit's pick (else null), version_n, label,
    predicted, confidence."""
    classes = np.asarray(prepared.classes, dtype=object)
    table = prepared.samples[trained.rows.tolist()].select("sample_id", "stream", "probability", "version_n")
    table = table.with_columns(
        pl.Series("label", classes[prepared.labels[trained.rows]].tolist(), dtype=pl.String),
        pl.Series("predicted", classes[probabilities.argmax(axis=1)].tolist(), dtype=pl.String),
        pl.Series("confidence", probabilities.max(axis=1), dtype=pl.Float64),
    )
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
