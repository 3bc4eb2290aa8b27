"""Decisions against the loop end the story at once, with the decision's own words."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fashion_demo.stack import Processes
from fashion_demo.story import Story, StoryStuck
from fashion_demo.timeline import Timeline, happened_in

from relearn_client import Unavailable


@dataclass
class Event:
    """As the client gives it."""

    type: str
    message: dict[str, Any]
    id: str = ""
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    causes: Sequence[str] = ()


class Recorded:
    """A Relearn where all of this has happened, and nothing more will."""

    def __init__(self, *events: Event) -> None:
        self._events = events

    def events(self, *, project: str, stop: threading.Event) -> Iterator[Event]:
        """The events, then silence."""
        yield from self._events
        stop.wait()


class Listener:
    """A teller that remembers the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Remembered."""
        self.notes.append(text)

    def step(self, text: str) -> None:
        """Not of interest."""

    progress = accuracy = step


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[..., Story]]:
    timelines = []

    def story(*events: Event) -> Story:
        numbered = [Event(e.type, e.message, id=e.id or str(n)) for n, e in enumerate(events)]
        timelines.append(Timeline(Recorded(*numbered), project="p", path=tmp_path / "events.jsonl"))
        processes = Processes(home=tmp_path, logs=tmp_path / "logs")
        return Story(
            relearn=Recorded(),
            processes=processes,
            timeline=timelines[-1],
            teller=Listener(),
            folder=tmp_path,
            rate=1,
            seed=0,
        )

    yield story
    for timeline in timelines:
        timeline.stop()


def judged(step: int, verdict: str) -> Event:
    return Event("ModelVersionJudged", {"judgement": {"step": step, "verdict": f"VERDICT_{verdict}", "reason": "why"}})


def finished_study(**winner: str) -> Event:
    return Event("StudyFinished", {"study": {"study_id": "s"}} | winner)


def route(phase: str, outcome: str, **more: int) -> Event:
    message = {"route": {"phase": f"PHASE_{phase}"} | more, "outcome": f"OUTCOME_{outcome}", "reason": f"why {outcome}"}
    return Event("RouteChanged", message)


def test_a_version_rejected_in_step_1_ends_the_story(told):
    story = told(finished_study(winner="run"), judged(1, "REJECTED"))

    with pytest.raises(StoryStuck, match="gate step 1 rejected the version: why"):
        story.first_champion()


def test_a_version_rejected_in_step_2_ends_the_story(told):
    story = told(judged(1, "PASSED"), judged(2, "UNDECIDED"), judged(2, "REJECTED"))

    with pytest.raises(StoryStuck, match="gate step 2 rejected the version: why"):
        story.shadow()


def test_a_study_without_a_winner_ends_the_story(told):
    story = told(finished_study())

    with pytest.raises(StoryStuck, match="no winner"):
        story.first_champion()


def test_a_refuted_alert_ends_the_story(told):
    story = told(Event("AlertRefuted", {"alert": {"reason": "nothing is wrong"}}))

    with pytest.raises(StoryStuck, match="refuted: nothing is wrong"):
        story.label()


def test_an_undone_rollout_ends_the_story(told):
    story = told(route("SHADOW", "STARTED"), route("CANARY", "ADVANCED", weight_percent=10), route("SERVING", "UNDONE"))

    with pytest.raises(StoryStuck, match="undone: why UNDONE"):
        story.canary()


def test_the_canary_tells_its_steps_and_no_step_of_the_shadow(told):
    resolved = Event("AlertResolved", {"alert": {"reason": "it has left"}})
    steps = [route("CANARY", "ADVANCED", weight_percent=weight) for weight in (10, 50)]
    story = told(route("SHADOW", "STARTED"), *steps, route("SERVING", "FINISHED"), resolved)

    story.canary()

    assert story.teller.notes == [
        "10 % of the traffic",
        "50 % of the traffic",
        "why FINISHED",
        "alert resolved: it has left",
    ]


def test_a_service_that_is_away_for_a_while_is_waited_for(told):
    class Restarting(Recorded):
        answers = iter([Unavailable("control is away"), True])

        def route_acknowledged(self, project: str) -> bool:
            answer = next(self.answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    story = told()
    story.relearn = Restarting()

    assert story._wait(lambda: story.relearn.route_acknowledged("p"), "a route") is True


def test_an_event_that_comes_twice_happened_once(told, tmp_path):
    again = Event("AlertResolved", {"alert": {"reason": "it has left"}}, id="same")

    story = told(again, again, route("SERVING", "FINISHED"))
    story.canary()

    assert len(story.timeline.all("AlertResolved")) == 1
    assert [event.name for event in happened_in(tmp_path / "events.jsonl")] == ["AlertResolved", "RouteChanged"]
