"""Each promise, broken on purpose: the books must name it."""

from collections.abc import Callable
from typing import Any

import pytest
from fashion_demo.books import Books
from fashion_demo.timeline import Happened

Events = list[tuple[str, dict[str, Any]]]
SAMPLE, TASK, LABEL = "p/sample/a", "task-a", "label-a"


def flag(flag_id: str = "flag-a", sample_id: str = SAMPLE, **more: Any) -> tuple[str, dict[str, Any]]:
    values = {"flag_id": flag_id, "sample_id": sample_id, "stream": "STREAM_AUDIT", "pick_time": "2026-01-01T10:00:00Z"}
    return "PredictionFlagged", {"flag": values | more}


def task(task_id: str = TASK, sample_id: str = SAMPLE) -> tuple[str, dict[str, Any]]:
    return "LabelTaskOpened", {
        "label_task": {"label_task_id": task_id, "sample_id": sample_id, "label_set_version": 1},
        "label_task_id": task_id,
    }


def answer(task_id: str = TASK, annotator: str = "ann") -> tuple[str, dict[str, Any]]:
    annotation = {"annotator": annotator, "create_time": "2026-01-01T10:00:01Z"}
    return "AnnotationSubmitted", {"label_task_id": task_id, "annotation": annotation}


def label(label_id: str = LABEL, task_id: str = TASK) -> tuple[str, dict[str, Any]]:
    return "LabelAccepted", {"label": {"label_id": label_id, "label_task_id": task_id}, "label_task_id": task_id}


def version(number: int, *label_ids: str) -> tuple[str, dict[str, Any]]:
    return "VersionCommitted", {"dataset_version": {"number": str(number)}, "label_ids": list(label_ids)}


def route(revision: int, champion: str) -> tuple[str, dict[str, Any]]:
    return "RouteChanged", {"route": {"revision": str(revision), "champion_model_version_id": champion}}


def alias(champion: str) -> tuple[str, dict[str, Any]]:
    return "AliasMoved", {"alias": "champion", "model_version_id": champion}


def study(study_id: str) -> Events:
    return [
        ("RunFinished", {"run": {"study_id": study_id}}),
        ("StudyFinished", {"study": {"study_id": study_id}}),
        ("ModelVersionRegistered", {"model_version": {"study_id": study_id}}),
    ]


def a_turn() -> Events:
    """One small turn of the loop, all promises kept."""
    monitoring = {"labels_per_day": 2, "audits_per_alert": 1, "selected_per_alert": 1}
    policies = {"monitoring": monitoring, "labeling": {"answers_per_day": 2}}
    return [
        ("ProjectApplied", {"project": policies}),
        version(1),
        *study("study-1"),
        route(1, "p/model/1"),
        alias("p/model/1"),
        flag(alert_id="alert"),
        task(),
        answer(),
        label(),
        version(2, LABEL),
    ]


def books(events: Events) -> Books:
    return Books(
        events=[
            Happened(name=name, event_id=str(number), time=float(number), causes=(), message=message)
            for number, (name, message) in enumerate(events)
        ]
    )


def test_a_turn_without_fault_balances():
    assert books(a_turn()).problems() == []
    assert books(a_turn()).open_ends() == []


PLANTED: dict[str, tuple[Callable[[], Events], str]] = {
    "a flag written twice": (lambda: [flag()], "flag flag-a was written 2 times"),
    "a second task for a sample": (lambda: [task("task-b")], "p/sample/a has 2 tasks"),
    "a task nobody asked for": (lambda: [task("task-b", "p/sample/b")], "p/sample/b has a task and no flag"),
    "a second label for a task": (lambda: [label("label-b")], "task task-a has 2 labels"),
    "a label committed twice": (lambda: [version(3, LABEL)], "label label-a was committed 2 times"),
    "a label from nowhere": (lambda: [version(3, "label-x")], "label label-x was committed and never accepted"),
    "one annotator twice in a task": (lambda: [answer()], "ann answered task task-a 2 times"),
    "a version committed twice": (lambda: [version(2)], "dataset versions are numbered [1, 2, 2]"),
    "a version left out": (lambda: [version(4)], "dataset versions are numbered [1, 2, 4]"),
    "a study finished twice": (lambda: study("study-1")[1:2], "study study-1 finished 2 times"),
    "a trial with two ends": (lambda: study("study-1")[:1], "trial 0 of study-1 has 2 outcomes"),
    "two models of a study": (lambda: study("study-1")[2:], "study study-1 became 2 model versions"),
    "a route out of order": (lambda: [route(3, "p/model/1")], "route revisions are [1, 3]"),
    "an alias that lags": (lambda: [route(2, "p/model/2")], "the route serves p/model/2, the alias says ['p/model/1']"),
    "a day over budget": (
        lambda: [flag("flag-b"), flag("flag-c")],
        "3 labels were bought on 2026-01-01, 2 allowed",
    ),
    "an alert over its audits": (
        lambda: [flag("flag-b", alert_id="alert")],
        "alert alert asked for 2 of STREAM_AUDIT, 1 allowed",
    ),
    "more answers than the cap": (
        lambda: [answer(annotator="ben"), answer(annotator="cem")],
        "3 answers on 2026-01-01, 2 allowed",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named(fault: str):
    events, said = PLANTED[fault]

    assert books(a_turn() + events()).problems() == [said]


def test_a_label_that_superseded_another_is_no_second_label():
    events = [*a_turn(), ("LabelSuperseded", {"label_id": LABEL}), label("label-b"), version(3, "label-b")]

    assert books(events).problems() == []


def test_a_pick_of_yesterday_is_paid_from_yesterday():
    yesterday = flag("flag-b", pick_time="2025-12-31T23:59:59Z", flag_time="2026-01-01T00:00:01Z")

    assert books([*a_turn(), yesterday, flag("flag-c")]).problems() == []


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ([flag("flag-b", "p/sample/b")], "p/sample/b was flagged and has no task"),
        ([flag("flag-b", "p/sample/b"), task("task-b", "p/sample/b")], "task task-b was never settled"),
        (
            [flag("flag-b", "p/sample/b"), task("task-b", "p/sample/b"), label("label-b", "task-b")],
            "label label-b was never committed",
        ),
    ],
)
def test_what_has_begun_is_an_open_end_and_no_problem(begun: Events, said: str):
    found = books(a_turn() + begun)

    assert found.open_ends() == [said]
    assert found.problems() == []


def test_a_disputed_task_is_settled():
    events = [
        *a_turn(),
        flag("flag-b", "p/sample/b"),
        task("task-b", "p/sample/b"),
        ("LabelTaskClosed", {"label_task_id": "task-b"}),
    ]

    assert books(events).open_ends() == []
