"""What the gate says, and the numbers it says it with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Verdict(Enum):
    """What the gate said."""

    PASSED = "passed"
    REJECTED = "rejected"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A number with what is needed to doubt it.

    Attributes:
        lower, upper: the two-sided 95 % interval, where there is one.
        samples: what it was measured on.
        limit: what it was compared with, where it was.
    """

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None
    samples: int | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one step of the gate found, before it is signed and dated."""

    verdict: Verdict
    reason: str
    measurements: tuple[Measurement, ...] = ()
    label_ids: tuple[str, ...] = ()
    look: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict of the gate about a model version.

    Attributes:
        champion_id: version it was compared with; None for the first.
        step: 1 before shadow, 2 before canary.
        dataset_version_id: whose labels were used in step 1, else empty.
        person: who promoted or approved; empty when the policy decided.
        judgement_id: `<model version>/judgement/<number>`, given when it is kept.
    """

    model_version_id: str
    champion_id: str | None
    step: int
    finding: Finding
    project_revision: int
    dataset_version_id: str
    person: str
    judged_at: datetime
    judgement_id: str = ""

    @property
    def verdict(self) -> Verdict:
        """What the gate said."""
        return self.finding.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the gate would let pass, until a person approves it.

    Attributes:
        causes: ids of the events that it rests on.
        held_at: when it was found, later by the time of pauses.
    """

    finding: Finding
    causes: tuple[str, ...]
    held_at: datetime
