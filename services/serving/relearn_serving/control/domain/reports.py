"""What a gateway's report adds to what is known of it, and to the evidence of a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from relearn_serving.control.domain.evidence import Arm, Evidence, Tally
from relearn_serving.control.domain.route import Phase, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterKey:
    project_id: str
    model_version_id: str
    arm: Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The revision in force at a gateway, and why nothing newer is."""

    project_id: str
    revision: int
    problem: str = ""
    problem_revision: int = 0  # what the problem is about
    hopeless: bool = False  # trying again cannot help


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What gateways could not pass on: lost by the tap, still in a spool, shadow answers shed."""

    dropped: int = 0
    spooled: int = 0
    shed: int = 0

    def __bool__(self) -> bool:
        return bool(self.dropped or self.spooled or self.shed)


def added(now: Mapping[CounterKey, Tally], before: Mapping[CounterKey, Tally]) -> dict[CounterKey, Tally]:
    """What happened since the last report. Counters only grow, so a lost report is made good by the next.

    Raises:
        InvalidInput: a counter went down: that is no counter of this gateway.
    """
    changes = {key: tally.since(before.get(key, Tally())) for key, tally in now.items()}
    return {key: change for key, change in changes.items() if change}


def with_report(evidence: Evidence, route: Route, changes: Mapping[CounterKey, Tally]) -> Evidence:
    """The evidence with what concerns this route's rollout; pinned requests never count."""
    for key, change in changes.items():
        if key.project_id != route.project_id or not route.challenger:
            continue
        match key.arm:
            case Arm.SHADOW if key.model_version_id == route.challenger:
                evidence = replace(evidence, shadow=evidence.shadow + change)
            case Arm.CANARY if key.model_version_id == route.challenger:
                evidence = replace(evidence, canary=evidence.canary + change)
            case Arm.CHAMPION if key.model_version_id == route.champion and route.phase is Phase.SHADOW:
                evidence = replace(evidence, champion_beside_shadow=evidence.champion_beside_shadow + change)
            case Arm.CHAMPION if key.model_version_id == route.champion and route.phase is Phase.CANARY:
                evidence = replace(evidence, champion_beside_canary=evidence.champion_beside_canary + change)
    return evidence
