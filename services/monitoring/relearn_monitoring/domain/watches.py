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


AUDITED_ARMS = (Arm.CHAMPION, Arm.CANARY)
"""Whose answers somebody saw; a shadow's are audited only when an alert asks about the shadow."""


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

    @property
    def auditable(self) -> bool:
        """Whether it may be drawn as an everyday audit."""
        return self.pickable and self.arm in AUDITED_ARMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """One project under watch.

    Attributes:
        predictions: counted in all.
        today: those on `day` that may be audited.
        yesterday: the same on the last whole day that had any; None when there was none.
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
        """As it is on this day or later: a day that ended becomes yesterday, unless it had begun without us or was
        quiet: a day without traffic says nothing about the next one with it."""
        if day <= self.day:
            return self
        whole = day == self.day + timedelta(days=1) and self.day != self.first_day and self.today > 0
        return replace(self, day=day, today=0, yesterday=self.today if whole else self.yesterday)

    def refused(self, inputs: int) -> Monitored:
        """With so many more inputs that datasets refused."""
        return replace(self, refused_inputs=self.refused_inputs + inputs)

    def counted(self, predictions: int, *, auditable: int) -> Monitored:
        """With so many more predictions, and those among them that may be audited."""
        return replace(self, predictions=self.predictions + predictions, today=self.today + auditable)


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
        return reference_id(self.model_version_id, self.reference_number)

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


def reference_id(model_version_id: str, number: int) -> str:
    """Names a reference: a version's first, second and so on."""
    return f"{model_version_id}/reference/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceQuality:
    """How good the version was: estimate and lower bound, and what says so."""

    accuracy: float
    lower: float
    source: str


def reference_quality(watch: Watch, reference_audits: list[Audit], reference: Reference | None) -> ReferenceQuality:
    """The quality that harm is measured against: audits of the reference's own predictions, if there are enough;
    else the training run's validation; else the mean calibrated confidence of the reference, an estimate only."""
    audited = quality(reference_audits)
    if audited is not None and audited.audits >= MIN_REFERENCE_AUDITS:
        return ReferenceQuality(accuracy=audited.accuracy, lower=audited.lower, source="audits of the reference")
    if watch.validated is not None:
        validated = watch.validated
        return ReferenceQuality(accuracy=validated.accuracy, lower=validated.lower, source="validation")
    if reference is not None:
        estimate = float(reference.predictions.confidence.mean())
        return ReferenceQuality(accuracy=estimate, lower=estimate, source="estimated from confidence")
    return ReferenceQuality(accuracy=1.0, lower=0.0, source="nothing known")
