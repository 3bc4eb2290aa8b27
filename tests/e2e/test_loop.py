"""The loop closes: the demo's run is the test."""

import pytest
from demo import Demo

# Each hand-over of the loop: an event and what its cause must be. Predictions are not kept in the
# demo's file, so what they cause directly has an outside cause.
CAUSES = {
    "StudyStarted": {"VersionCommitted"},
    "ModelVersionRegistered": {"StudyFinished"},
    "LabelTaskOpened": {"PredictionFlagged"},
    "LabelAccepted": {"AnnotationSubmitted", "PredictionFlagged"},
    "AlertConfirmed": {"LabelAccepted"},
    "AliasMoved": {"RouteChanged"},
    "AlertResolved": {"RouteChanged", "AliasMoved"},
}


def test_the_loop_closes(demo: Demo) -> None:
    assert demo.exit_code == 0, demo.output
    assert demo.report["closed"]


def test_three_quarters_of_the_lost_accuracy_come_back(demo: Demo) -> None:
    report = demo.report

    assert report["before"]["value"] > 0.75
    assert report["recovered"]["value"] >= 0.75
    assert report["after"]["value"] > report["during"]["value"]


def test_nothing_is_lost_and_nothing_counted_twice(demo: Demo) -> None:
    assert demo.ledger.problems() == []


@pytest.mark.parametrize("effect", CAUSES)
def test_every_event_names_its_cause(demo: Demo, effect: str) -> None:
    events = {event["event_id"]: event for event in demo.ledger.events}

    effects = list(demo.ledger.named(effect))

    assert effects
    for event in effects:
        causes = {events[cause]["name"] for cause in event["causes"] if cause in events}
        assert causes & CAUSES[effect], f"{event['event_id']} of {effect} was caused by {causes}"


def test_labels_bought_to_learn_are_trained_on_and_audits_are_not(demo: Demo) -> None:
    last = list(demo.ledger.messages("VersionCommitted"))[-1]["dataset_version"]["counts"]
    flags = [event["flag"] for event in demo.ledger.messages("PredictionFlagged")]
    selected = sum(flag["stream"] == "STREAM_SELECTED" for flag in flags)

    assert selected >= 200
    assert int(last["selected"]) <= selected
    assert int(last["train"]) == int(last["imported"]) - _imported_validation(demo) + int(last["selected"])


def _imported_validation(demo: Demo) -> int:
    first = next(demo.ledger.messages("VersionCommitted"))["dataset_version"]["counts"]
    return int(first["validation"])
