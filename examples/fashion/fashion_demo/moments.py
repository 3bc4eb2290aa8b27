"""When each thing happened after the camera was turned: what the report lists, and what the picture shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fashion_demo.outcome import Moment, Phase
from fashion_demo.timeline import Happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What happened since the camera was turned.

    Attributes:
        events: all of them, in the order they came.
        started_at: when the product started; `changed_at` when its camera was turned; in seconds since the epoch.
    """

    events: Sequence[Happened]
    started_at: float
    changed_at: float

    def first(self, name: str, **wanted: str) -> Happened:
        """The first event of a kind with these values.

        Raises:
            LookupError: there is none.
        """
        for event in self.events:
            values = event.message.get("route", {}) | event.message
            if event.name == name and event.time >= self.changed_at and wanted.items() <= values.items():
                return event
        raise LookupError(f"no {' '.join([name, *wanted.values()])} since the camera was turned")

    @property
    def alert_id(self) -> str:
        """The alert that the camera caused."""
        return str(self.first("AlertOpened").message["alert"]["alert_id"])

    def committed(self) -> Happened:
        """The dataset version that the new champion learned from."""
        version_id = self.first("StudyStarted").message["study"]["dataset_version_id"]
        return next(
            event
            for event in self.events
            if event.name == "VersionCommitted" and event.message["dataset_version"]["dataset_version_id"] == version_id
        )

    def first_task(self) -> Happened:
        """The first label task that the alert asked for."""
        return next(
            event
            for event in self.events
            if event.name == "LabelTaskOpened"
            and any(flag.get("alert_id") == self.alert_id for flag in event.message["label_task"]["flags"])
        )

    def judged(self, *, step: int) -> Happened:
        """The gate lets the challenger through this step."""
        return next(
            event
            for event in self.events
            if event.name == "ModelVersionJudged"
            and event.time >= self.changed_at
            and event.message["judgement"]["step"] == step
            and event.message["judgement"]["verdict"] == "VERDICT_PASSED"
        )


def moments(turn: Turn) -> tuple[Moment, ...]:
    """What the report lists, in order of time."""
    found = [_moment(turn, key=key, name=name, event=event) for key, name, event in _listed(turn)]
    start = Moment(
        key="turned",
        name="camera turned",
        at_s=turn.changed_at - turn.started_at,
        after_s=0.0,
        detail="90 degrees, 0.8 scale, darker, noisy",
    )
    return tuple(sorted([start, *found], key=lambda moment: moment.at_s))


def phases(turn: Turn) -> tuple[Phase, ...]:
    """What the loop was busy with, in order of time."""
    at = {moment.key: moment.at_s for moment in moments(turn)}
    spans = (
        ("labels", "alert", "committed"),
        ("study", "committed", "studied"),
        ("shadow", "shadow", "gate_2"),
        ("canary", "gate_2", "finished"),
    )
    return tuple(Phase(name=name, from_s=at[first], to_s=at[last]) for name, first, last in spans)


def _listed(turn: Turn) -> Iterator[tuple[str, str, Happened]]:
    yield "alert", "alert opened", turn.first("AlertOpened")
    yield "first_task", "first label task", turn.first_task()
    yield "confirmed", "alert confirmed", turn.first("AlertConfirmed")
    yield "committed", "dataset version committed", turn.committed()
    yield "studied", "study finished", turn.first("StudyFinished")
    yield "shadow", "shadow", turn.first("RouteChanged", phase="PHASE_SHADOW")
    yield "gate_2", "gate step 2 passed", turn.judged(step=2)
    for event in turn.events:
        route = event.message.get("route", {}) if event.name == "RouteChanged" else {}
        if event.time >= turn.changed_at and route.get("phase") == "PHASE_CANARY":
            weight = route["weight_percent"]
            yield f"canary_{weight}", f"canary {weight} %", event
    yield "finished", "new champion serves everything", turn.first("RouteChanged", outcome="OUTCOME_FINISHED")
    yield "resolved", "alert resolved", turn.first("AlertResolved")


def _moment(turn: Turn, *, key: str, name: str, event: Happened) -> Moment:
    message = event.message
    told = message.get("alert") or message.get("judgement") or message.get("dataset_version") or message
    return Moment(
        key=key,
        name=name,
        at_s=event.time - turn.started_at,
        after_s=event.time - turn.changed_at,
        detail=str(told.get("reason") or told.get("message") or ""),
    )
