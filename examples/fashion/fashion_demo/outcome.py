"""What the demo measured, as one value: the report is drawn from it, the exit code decided by it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fashion_demo.intervals import Share

RECOVERED_AT_LEAST = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened, in seconds since the product started."""

    at_s: float
    name: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Accuracy of one stretch of traffic, with the loop and without it."""

    at_s: float
    live: Share
    without_loop: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpending:
    """What one stream cost."""

    stream: str
    labels: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition of "the loop closed"."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything the report shows."""

    seed: int
    duration_s: float
    before: Share
    during: Share
    after: Share
    recovered: Share
    old_camera_before: Share
    old_camera_after: Share
    spending: tuple[StreamSpending, ...]
    since_change_s: dict[str, float]
    moments: tuple[Moment, ...]
    points: tuple[Point, ...]
    checks: tuple[Check, ...]
    traced_prediction: str
    trace: tuple[str, ...]

    @property
    def closed(self) -> bool:
        """Whether the loop closed: every check passed."""
        return all(check.passed for check in self.checks)


def write_json(outcome: Outcome, path: Path) -> None:
    """The machine-readable report: the fields of `Outcome`, and `closed`."""
    content = {"closed": outcome.closed} | asdict(outcome)
    path.write_text(json.dumps(content, indent=2) + "\n")
