"""What the demo measured, as one value: the report is drawn from it, the exit code decided by it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fashion_demo.intervals import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Both champions under both cameras, on the same pictures, which nobody has seen before.

    Attributes:
        recovered: share of the accuracy lost with the new camera that the last champion brought back.
        lost: what the last champion is worse under the old camera, picture by picture.
    """

    first_old_camera: Share
    first_new_camera: Share
    last_old_camera: Share
    last_new_camera: Share
    recovered: Share
    lost: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of traffic: its answers, and their accuracy over distinct pictures."""

    name: str
    answers: int
    accuracy: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened.

    Attributes:
        at_s: seconds since the product started.
        after_s: seconds since the camera was turned.
    """

    key: str
    name: str
    at_s: float
    after_s: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the story, in seconds since the product started."""

    name: str
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Accuracy of a hundred answers, with the loop and without it."""

    at_s: float
    live: Share
    without_loop: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpending:
    """What one stream cost since the camera was turned."""

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
    """Everything the report shows.

    Attributes:
        learned_from: selected labels in the dataset version that the last champion was trained on.
    """

    seed: int
    held_out: HeldOut
    traffic: tuple[Stretch, ...]
    spending: tuple[StreamSpending, ...]
    learned_from: int
    moments: tuple[Moment, ...]
    phases: tuple[Phase, ...]
    points: tuple[Point, ...]
    checks: tuple[Check, ...]
    traced_prediction: str
    trace: tuple[str, ...]

    @property
    def closed(self) -> bool:
        """Whether the loop closed: every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def labels(self) -> int:
        """Labels bought since the camera was turned."""
        return sum(spent.labels for spent in self.spending)

    @property
    def answers(self) -> int:
        """Human answers that these labels took."""
        return sum(spent.answers for spent in self.spending)


def write_json(outcome: Outcome, path: Path, *, duration_s: float) -> None:
    """The machine-readable report: whether the loop closed, how long all of it took, and the fields of `Outcome`."""
    content = {"closed": outcome.closed, "duration_s": duration_s} | asdict(outcome)
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_failure(reason: str, path: Path, *, duration_s: float) -> None:
    """The same of a story that has no outcome."""
    path.write_text(json.dumps({"closed": False, "duration_s": duration_s, "reason": reason}, indent=2) + "\n")
