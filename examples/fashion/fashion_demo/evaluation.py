"""From what happened to what it was worth."""

import time
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from fashion_demo.images import shuffled
from fashion_demo.intervals import recovered, share
from fashion_demo.measure import answers as ask_version
from fashion_demo.outcome import (
    RECOVERED_AT_LEAST,
    Check,
    Moment,
    Outcome,
    Point,
    StreamSpending,
)
from fashion_demo.product import view
from fashion_demo.product_log import Answer
from fashion_demo.story import PROJECT, Story
from fashion_demo.timeline import Timeline
from fashion_demo.traffic import STRETCH

OLD_CAMERA_LOSS_AT_MOST = 0.05


def evaluate(story: Story, *, duration_s: float) -> Outcome:
    """Measure both champions on held-out pictures and put everything together."""
    first, last = _champions(story.timeline)
    held_out = _HeldOut(story, first=first, last=last)
    end = time.time()
    traced = _traced_prediction(story)
    outcome = Outcome(
        seed=story.seed,
        duration_s=duration_s,
        before=story.traffic.accuracy(since=story.started_at, until=story.changed_at),
        during=story.traffic.accuracy(since=story.changed_at, until=story.finished_at),
        after=story.traffic.accuracy(since=story.finished_at, until=end),
        recovered=held_out.recovered,
        old_camera_before=share(held_out.first_clean),
        old_camera_after=share(held_out.last_clean),
        spending=_spending(story.timeline, since=story.changed_at),
        since_change_s=_since_change(story),
        moments=_moments(story),
        points=_points(story, first=first),
        checks=(),
        traced_prediction=traced,
        trace=tuple(story.relearn.trace(traced).lines()),
    )
    return _with_checks(outcome, story)


class _HeldOut:
    """Right answers of both champions under both cameras, on pictures nobody has seen."""

    def __init__(self, story: Story, *, first: str, last: str) -> None:
        pictures = shuffled("held-out", seed=story.seed)
        truth = np.array([picture.label for picture in pictures])

        def right(version: str, *, turned: bool) -> np.ndarray:
            contents = [
                view(picture, turned=turned, noise_seed=[story.seed, 1, number])
                for number, picture in enumerate(pictures)
            ]
            given = ask_version(story.relearn.endpoints.gateway, model=PROJECT, version=version, contents=contents)
            rights: np.ndarray = np.array(given) == truth
            return rights

        self.first_clean = right(first, turned=False)
        self.last_clean = right(last, turned=False)
        self.recovered = recovered(
            old_clean=self.first_clean,
            old_shifted=right(first, turned=True),
            new_shifted=right(last, turned=True),
            seed=story.seed,
        )


def _points(story: Story, *, first: str) -> tuple[Point, ...]:
    """Accuracy per stretch of traffic; the first champion is asked again about the same pictures."""
    pictures = shuffled("traffic", seed=story.seed)
    found = sorted(story.traffic.answers, key=lambda answer: answer.time)
    others = [answer for answer in found if answer.version != first and not answer.error]
    contents = [
        view(
            pictures[answer.number % len(pictures)],
            turned=answer.turned,
            noise_seed=[story.seed, answer.number],
        )
        for answer in others
    ]
    asked = ask_version(story.relearn.endpoints.gateway, model=PROJECT, version=first, contents=contents)
    without_loop = {a.number: given == a.truth for a, given in zip(others, asked, strict=True)}

    def point(stretch: list[Answer]) -> Point:
        return Point(
            at_s=stretch[len(stretch) // 2].time - story.started_at,
            live=share([answer.right for answer in stretch]),
            without_loop=share([without_loop.get(answer.number, answer.right) for answer in stretch]),
        )

    return tuple(point(found[i : i + STRETCH]) for i in range(0, len(found), STRETCH))


def _champions(timeline: Timeline) -> tuple[str, str]:
    """Version numbers of the first and of the last champion."""
    routes = [event.message["route"] for event in timeline.all("RouteChanged")]
    first, last = (routes[i]["champion_model_version_id"].split("/")[-1] for i in (0, -1))
    return first, last


def _spending(timeline: Timeline, *, since: float) -> tuple[StreamSpending, ...]:
    """Labels and answers by the stream of the task's first flag, since the camera was turned."""
    stream_of: dict[str, str] = {}
    for event in timeline.all("LabelTaskOpened"):
        task = event.message["label_task"]
        stream = task["flags"][0]["stream"].removeprefix("STREAM_").lower()
        stream_of.setdefault(task["label_task_id"], stream)
    labels: dict[str, set[str]] = defaultdict(set)
    for event in timeline.all("LabelAccepted", lambda e: e.time >= since):
        label = event.message["label"]
        labels[stream_of[label["label_task_id"]]].add(label["label_id"])
    given = Counter(
        stream_of[event.message["label_task_id"]]
        for event in timeline.all("AnnotationSubmitted", lambda e: e.time >= since)
    )
    return tuple(
        StreamSpending(stream=stream, labels=len(labels[stream]), answers=given[stream])
        for stream in ("selected", "audit", "disagreement")
    )


def _since_change(story: Story) -> dict[str, float]:
    """Seconds from the turned camera to each first event of its kind."""

    def first(name: str, **wanted: str) -> float:
        events = story.timeline.all(
            name,
            lambda event: (
                event.time >= story.changed_at and all(event.message.get(key) == value for key, value in wanted.items())
            ),
        )
        return events[0].time - story.changed_at

    study = story.timeline.all("StudyStarted", lambda e: e.time >= story.changed_at)[0]
    version_id = study.message["study"]["dataset_version_id"]
    committed = story.timeline.all(
        "VersionCommitted",
        lambda e: e.message["dataset_version"]["dataset_version_id"] == version_id,
    )[0]
    return {
        "alert": first("AlertOpened"),
        "first_task": first("LabelTaskOpened"),
        "confirmed": first("AlertConfirmed"),
        "commit": committed.time - story.changed_at,
        "study": first("StudyFinished"),
        "new_champion": first("RouteChanged", outcome="OUTCOME_FINISHED"),
        "resolved": first("AlertResolved"),
    }


def _moments(story: Story) -> tuple[Moment, ...]:
    """What is marked in the picture."""
    names = {
        "alert": "alert",
        "confirmed": "alert confirmed",
        "commit": "labels committed",
        "study": "study finished",
        "new_champion": "new champion",
        "resolved": "alert resolved",
    }
    changed_s = story.changed_at - story.started_at
    since = _since_change(story)
    moments = [Moment(at_s=changed_s, name="camera turned", detail="90 degrees, 0.8 scale, darker, noisy")]
    moments += [
        Moment(at_s=changed_s + since[key], name=name, detail=f"{since[key]:.1f} s after the turn")
        for key, name in names.items()
    ]
    for route in story.timeline.all("RouteChanged", lambda e: e.time >= story.changed_at):
        if route.message["route"]["phase"] == "PHASE_SHADOW":
            moments.append(
                Moment(
                    at_s=route.time - story.started_at,
                    name="shadow",
                    detail=route.message["reason"],
                )
            )
    return tuple(sorted(moments, key=lambda moment: moment.at_s))


def _traced_prediction(story: Story) -> str:
    """A selected prediction whose label the new champion learned from."""
    flags = story.timeline.all(
        "PredictionFlagged",
        lambda event: event.time >= story.changed_at and event.message["flag"]["stream"] == "STREAM_SELECTED",
    )
    return str(flags[0].message["flag"]["prediction_id"])


def _with_checks(outcome: Outcome, story: Story) -> Outcome:
    """The conditions of "the loop closed"."""
    timeline = story.timeline
    after = timeline.all("AlertOpened", lambda e: e.time >= story.finished_at)
    before = timeline.all("AlertOpened", lambda e: e.time < story.changed_at)
    tasks = [
        (task["sample_id"], task["label_set_version"])
        for event in timeline.all("LabelTaskOpened", lambda e: bool(e.message.get("created")))
        for task in [event.message["label_task"]]
    ]
    failed = story.traffic.failed()
    lost = outcome.old_camera_before.value - outcome.old_camera_after.value
    last_line = outcome.trace[-1] if outcome.trace else ""
    checks = (
        Check(
            name="accuracy recovered",
            passed=outcome.recovered.value >= RECOVERED_AT_LEAST,
            detail=f"{outcome.recovered} of the loss, at least {RECOVERED_AT_LEAST} asked",
        ),
        Check(
            name="the old camera still works",
            passed=lost <= OLD_CAMERA_LOSS_AT_MOST,
            detail=f"{100 * lost:.1f} points lost",
        ),
        Check(
            name="every request answered",
            passed=not failed,
            detail=f"{len(story.traffic.answers)} requests, {len(failed)} failed",
        ),
        Check(
            name="no alert before the change, none after the cure",
            passed=not before and not after,
            detail=f"{len(before)} before, {len(after)} after",
        ),
        Check(
            name="one task per sample",
            passed=len(tasks) == len(set(tasks)),
            detail=f"{len(tasks)} tasks for {len(set(tasks))} samples",
        ),
        Check(
            name="the trace of a flagged prediction reaches the new champion",
            passed=any("FINISHED" in line.upper() for line in outcome.trace),
            detail=last_line.strip(),
        ),
    )
    return replace(outcome, checks=checks)
