"""What control learns about each version: counters that only grow, since the gateway started."""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from relearn_serving.gateway.routing import Arm

BUCKET_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class _Tally:
    predictions: int = 0
    errors: int = 0
    model_s: float = 0.0
    gateway_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_BOUNDS_S) + 1))
    labels: list[int] = field(default_factory=list)
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCount:
    """The counters of one version in one arm."""

    project_id: str
    model_version_id: str
    arm: Arm
    requests: int
    predictions: int
    errors: int  # predictions that failed through the model or the gateway, never through the caller
    model_s: float  # sum of model times
    gateway_s: float  # sum of times from arrival to answer, per request
    buckets: tuple[int, ...]  # predictions by time in the gateway
    labels: tuple[int, ...]  # predictions by class


class Counters:
    """Any thread may add."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, Arm], _Tally] = {}
        self._refused: dict[str, int] = {}
        self._lock = threading.Lock()

    def answered(
        self,
        project_id: str,
        model_version_id: str,
        classes: int,
        requests: Iterable[tuple[Arm, Sequence[int], float, float]],
    ) -> None:
        """Requests that one run has answered: arm, most likely classes, time in the model, time in the gateway."""
        with self._lock:
            for arm, winners, model_s, gateway_s in requests:
                tally = self._tally(project_id, model_version_id, arm, classes)
                tally.requests += 1
                tally.predictions += len(winners)
                tally.model_s += model_s
                tally.gateway_s += gateway_s
                tally.buckets[bisect_left(BUCKET_BOUNDS_S, gateway_s)] += len(winners)
                for winner in winners:
                    tally.labels[winner] += 1

    def failed(self, project_id: str, model_version_id: str, arm: Arm, *, predictions: int, classes: int) -> None:
        """A request failed through no fault of its caller."""
        with self._lock:
            self._tally(project_id, model_version_id, arm, classes).errors += predictions

    def refused(self, reason: str) -> None:
        """A request was refused."""
        with self._lock:
            self._refused[reason] = self._refused.get(reason, 0) + 1

    def versions(self) -> list[VersionCount]:
        with self._lock:
            return [
                VersionCount(
                    project_id=project_id,
                    model_version_id=model_version_id,
                    arm=arm,
                    requests=tally.requests,
                    predictions=tally.predictions,
                    errors=tally.errors,
                    model_s=tally.model_s,
                    gateway_s=tally.gateway_s,
                    buckets=tuple(tally.buckets),
                    labels=tuple(tally.labels),
                )
                for (project_id, model_version_id, arm), tally in self._tallies.items()
            ]

    def refusals(self) -> dict[str, int]:
        with self._lock:
            return dict(self._refused)

    def _tally(self, project_id: str, model_version_id: str, arm: Arm, classes: int) -> _Tally:
        key = (project_id, model_version_id, arm)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally(labels=[0] * classes)
        return tally
