"""What is watched: projects, model versions, and the predictions as they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from relearn_monitoring.domain.predictions import FloatArray
from relearn_monitoring.domain.quality import Audit, Quality, quality
from relearn_monitoring.domain.reference import Reference

MIN_REFERENCE_AUDITS = 30
"""Fewer audits than this say less about the reference than the validation of the run does."""


class Arm(StrEnum):
    """Which part of the route answered."""

    CHAMPION = "champion"
    CANARY = "canary"
    SHADOW = "shadow"
    PINNED = "pinned"


class Role(StrEnum):
    """What a version is in the route; NONE when it is not in it."""

    NONE = ""
    CHAMPION = "champion"
    CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One prediction as it came.

    Attributes:
        content: the encoded input, or None; then `input_key` names it in object storage, or is empty for a tensor.
        probabilities: [c], calibrated; embedding: [d], d = 0 without; statistics: [len(STATISTICS)], NaN if unknown.
        event_id, traceparent: of the event that told it.
    """

    prediction_id: str
    project_id: str
    model_version_id: str
    arm: Arm
    champion_prediction_id: str
    route_revision: int
    partition_key: str
    gateway_id: str
    sequence: int
    predicted_at: datetime
    content: bytes | None
    input_key: str
    sha256: str
    group_key: str
    probabilities: FloatArray
    predicted_label: str
    confidence: float
    embedding: FloatArray
    statistics: FloatArray
    event_id: str
    traceparent: str

    @property
    def pickable(self) -> bool:
        """Whether its encoded input can be had, so that a person can look at it."""
        return bool(self.sha256) and (self.content is not None or bool(self.input_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """One project under watch.

    Attributes:
        predictions: counted in all. today: on `day`. yesterday: on the whole day before, None when there was none.
        route_revision: of the newest route known, 0 before the first.
    """

    project_id: str
    predictions: int
    refused_inputs: int
    route_revision: int
    shards: int
    day: date
    today: int
    yesterday: int | None
    first_day: date

    def on(self, day: date) -> Monitored:
        """As it is on this day or later: a day that ended becomes yesterday, unless it had begun without us."""
        if day <= self.day:
            return self
        if day == self.day + timedelta(days=1) and self.day != self.first_day:
            whole: int | None = self.today
        else:
            whole = self.yesterday
        return replace(self, day=day, today=0, yesterday=whole)

    def refused(self) -> Monitored:
        """With one more input that datasets refused."""
        return replace(self, refused_inputs=self.refused_inputs + 1)

    def counted(self, predictions: int) -> Monitored:
        """With so many more predictions."""
        return replace(self, predictions=self.predictions + predictions, today=self.today + predictions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One model version under watch.

    Attributes:
        collected: live predictions its next reference has so far, or its frozen one was made from.
        since_frozen: predictions since the reference was frozen.
        windows_over: closed windows in a row whose embeddings were over the threshold.
        harm_since: place in the order of settled audits after which they count as evidence of harm.
        validated: quality on the weakest population that its training run validated it on.
        provisional_key: of the training run's own reference, in object storage.
        skew: distance of the two references, 0..1; None until told.
    """

    model_version_id: str
    project_id: str
    role: Role = Role.NONE
    predictions: int = 0
    reference_number: int = 1
    reference_frozen: bool = False
    collected: int = 0
    since_frozen: int = 0
    window_number: int = 0
    windows_over: int = 0
    harm_since: int = 0
    validated: Quality | None = None
    provisional_key: str = ""
    skew: float | None = None

    @property
    def reference_id(self) -> str:
        """Of the reference that is collected or frozen."""
        return f"{self.model_version_id}/reference/{self.reference_number}"

    @property
    def live(self) -> bool:
        """Whether it is in the route."""
        return self.role is not Role.NONE

    def renewed(self, *, harm_since: int) -> Watch:
        """After a harmless shift: today's traffic is the new normal, so the reference is collected anew."""
        return replace(
            self,
            reference_number=self.reference_number + 1,
            reference_frozen=False,
            collected=0,
            since_frozen=0,
            windows_over=0,
            harm_since=harm_since,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """How good the version was: estimate and lower bound, and what says so."""

    accuracy: float
    lower: float
    source: str


def baseline(watch: Watch, reference_audits: list[Audit], reference: Reference | None) -> Baseline:
    """The quality that harm is measured against: audits of the reference's own predictions, if there are enough;
    else the training run's validation; else the mean calibrated confidence of the reference, an estimate only."""
    audited = quality(reference_audits)
    if audited is not None and audited.audits >= MIN_REFERENCE_AUDITS:
        return Baseline(accuracy=audited.accuracy, lower=audited.lower, source="audits of the reference")
    if watch.validated is not None:
        return Baseline(accuracy=watch.validated.accuracy, lower=watch.validated.lower, source="validation")
    if reference is not None:
        estimate = float(reference.predictions.confidence.mean())
        return Baseline(accuracy=estimate, lower=estimate, source="estimated from confidence")
    return Baseline(accuracy=1.0, lower=0.0, source="nothing known")
