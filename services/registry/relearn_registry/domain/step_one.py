"""Gate step 1, before shadow: throw out what is clearly worse on labels we have. It can't see a shift.

A challenger is rejected only when it is worse *with confidence*: the one-sided 95 % upper bound of the paired
difference (challenger minus champion) lies below minus `max_loss`, on imported samples or on audits, each by itself
(they are different populations); or, for one class, below minus `max_class_loss`. Classes are many looks at once:
their bounds hold for all of them together (Bonferroni over every class of both populations).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relearn_registry.domain.judgements import Finding, Measurement, Verdict
from relearn_registry.domain.statistics import (
    CONFIDENCE,
    Estimate,
    FloatArray,
    calibration_error,
    inverse_weights,
    paired_difference,
    share,
)

POPULATIONS = ("imported", "audit")
CALIBRATION_LIMIT = 0.1
"""Expected calibration error that a person should look at; it decides nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationPredictions:
    """What a version said about each validation sample of its dataset version.

    Attributes:
        sample_ids: [n], distinct.
        streams: [n], "imported" or "audit".
        probability: [n] with which an audit was picked; NaN when imported.
        labels: [n], truth in that dataset version.
        predicted: [n].
        confidence: [n] in [0, 1].
    """

    sample_ids: npt.NDArray[np.str_]
    streams: npt.NDArray[np.str_]
    probability: FloatArray
    labels: npt.NDArray[np.str_]
    predicted: npt.NDArray[np.str_]
    confidence: FloatArray

    def take(self, rows: npt.NDArray[np.intp]) -> ValidationPredictions:
        """These rows, in this order."""
        return ValidationPredictions(
            sample_ids=self.sample_ids[rows],
            streams=self.streams[rows],
            probability=self.probability[rows],
            labels=self.labels[rows],
            predicted=self.predicted[rows],
            confidence=self.confidence[rows],
        )

    def of(self, stream: str) -> ValidationPredictions:
        """The samples of one population."""
        return self.take(np.flatnonzero(self.streams == stream))

    @property
    def correct(self) -> FloatArray:
        """[n] of 0 and 1."""
        return np.asarray(self.predicted == self.labels, dtype=np.float64)

    @property
    def weights(self) -> FloatArray:
        """[n], inverse probabilities."""
        return inverse_weights(self.probability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The project's numbers for step 1."""

    first_margin: float
    max_loss: float
    max_class_loss: float


def judge_first(version: ValidationPredictions, *, limits: Limits) -> Finding:
    """The first version of a project: it must beat saying the commonest class always, by the margin.

    Measured on imported samples; on audits when nothing was imported.
    """
    measured = _own_measurements(version)
    population = next((name for name in POPULATIONS if len(version.of(name).labels)), None)
    if population is None:
        return _rejected("there is no validation sample to judge it by", measured)
    rows = version.of(population)
    accuracy = share(rows.correct, rows.weights).value
    majority = max(
        share((rows.labels == name).astype(np.float64), rows.weights).value for name in np.unique(rows.labels)
    )
    needed = majority + limits.first_margin
    compared = Measurement(name="accuracy/over_majority", value=accuracy - majority, limit=limits.first_margin)
    measured = (Measurement(name="accuracy/majority_class", value=majority), compared, *measured)
    said = f"accuracy {accuracy:.3f} on {len(rows.labels)} {population} validation samples"
    if accuracy < needed:
        return _rejected(f"{said} does not beat the majority class by {limits.first_margin:g} ({needed:.3f})", measured)
    return Finding(
        verdict=Verdict.PASSED,
        reason=f"first version; {said} beats the majority class ({majority:.3f}) by {limits.first_margin:g} or more",
        measurements=measured,
    )


def not_compared(challenger: ValidationPredictions, *, why: str) -> Finding:
    """A challenger that cannot be compared: nothing shows that it is worse, and step 2 will tell.

    Args:
        why: what is wrong with the champion's predictions.
    """
    reason = f"no validation sample to compare on: the champion's {why}"
    return Finding(verdict=Verdict.PASSED, reason=reason, measurements=_own_measurements(challenger))


def judge_challenger(challenger: ValidationPredictions, champion: ValidationPredictions, *, limits: Limits) -> Finding:
    """A challenger against the champion of now, on the champion's validation samples and the challenger's labels."""
    new, old = _joined(challenger, champion)
    measured, failures = list(_own_measurements(challenger)), []
    for population in POPULATIONS:
        rows = np.flatnonzero(new.streams == population)
        if len(rows):
            measured.append(_accuracy(f"accuracy/{population}/champion", old.take(rows)))
    for part in _parts(new, old, limits):
        measured += part.measurements
        failures += part.failures
    if failures:
        return _rejected("worse than the champion on old validation: " + "; ".join(failures), tuple(measured))
    seen = f"{len(new.labels)} validation samples of the champion"
    reason = f"not clearly worse on {seen}" if len(new.labels) else "no validation sample to compare on"
    return Finding(verdict=Verdict.PASSED, reason=reason, measurements=tuple(measured))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One comparison: a population, or one class of it."""

    name: str
    estimate: Estimate
    level: float
    max_loss: float

    @property
    def bound(self) -> float:
        return self.estimate.upper_bound(self.level)

    @property
    def measurements(self) -> list[Measurement]:
        bound = Measurement(name=f"{self.name}/upper_bound", value=self.bound, limit=-self.max_loss)
        return [_measurement(self.name, self.estimate), bound]

    @property
    def failures(self) -> list[str]:
        if self.bound >= -self.max_loss:
            return []
        seen = f"{self.estimate.value:+.3f} on {self.estimate.samples} samples"
        return [f"{self.name} is {seen}, at best {self.bound:+.3f}, limit {-self.max_loss:+.3f}"]


def _parts(new: ValidationPredictions, old: ValidationPredictions, limits: Limits) -> list[_Part]:
    """Each population and, at a level that holds for all together, each class of each population."""
    difference, weights = new.correct - old.correct, new.weights
    whole, classes = [], []
    for population in POPULATIONS:
        members = new.streams == population
        if members.any():
            whole.append((f"difference/{population}", members))
        for name in np.unique(new.labels[members]):
            classes.append((f"difference/{population}/class/{name}", members & (new.labels == name)))
    level = 1 - (1 - CONFIDENCE) / max(1, len(classes))
    return [
        _Part(name=name, estimate=paired_difference(difference[rows], weights[rows]), level=at, max_loss=limit)
        for parts, at, limit in ((whole, CONFIDENCE, limits.max_loss), (classes, level, limits.max_class_loss))
        for name, rows in parts
    ]


def _joined(
    challenger: ValidationPredictions, champion: ValidationPredictions
) -> tuple[ValidationPredictions, ValidationPredictions]:
    """Both versions' answers to the samples that both answered, row by row, both with the challenger's truth."""
    _, new_rows, old_rows = np.intersect1d(
        challenger.sample_ids, champion.sample_ids, assume_unique=True, return_indices=True
    )
    new, old = challenger.take(new_rows), champion.take(old_rows)
    truth = ValidationPredictions(
        sample_ids=new.sample_ids,
        streams=new.streams,
        probability=new.probability,
        labels=new.labels,
        predicted=old.predicted,
        confidence=old.confidence,
    )
    return new, truth


def _own_measurements(version: ValidationPredictions) -> tuple[Measurement, ...]:
    measured = []
    for population in POPULATIONS:
        rows = version.of(population)
        if not len(rows.labels):
            continue
        measured.append(_accuracy(f"accuracy/{population}", rows))
        error = calibration_error(rows.confidence, rows.correct, rows.weights)
        samples = len(rows.labels)
        measured.append(
            Measurement(name=f"calibration_error/{population}", value=error, samples=samples, limit=CALIBRATION_LIMIT)
        )
    return tuple(measured)


def _accuracy(name: str, rows: ValidationPredictions) -> Measurement:
    return _measurement(name, share(rows.correct, rows.weights))


def _measurement(name: str, estimate: Estimate) -> Measurement:
    lower, upper = estimate.interval
    return Measurement(name=name, value=estimate.value, lower=lower, upper=upper, samples=estimate.samples)


def _rejected(reason: str, measurements: tuple[Measurement, ...]) -> Finding:
    return Finding(verdict=Verdict.REJECTED, reason=reason, measurements=measurements)
