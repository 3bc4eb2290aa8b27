import pytest
from fashion_demo.evaluation import spending, traced_prediction
from fashion_demo.moments import moments, phases
from stories import bought, happened, turn


def test_each_moment_is_told_once_in_order_of_time():
    found = {moment.name: round(moment.after_s, 1) for moment in moments(turn())}

    assert found == {
        "camera turned": 0.0,
        "alert opened": 1.0,
        "first label task": 2.1,
        "alert confirmed": 3.0,
        "dataset version committed": 5.0,
        "study finished": 10.0,
        "shadow": 10.2,
        "gate step 2 passed": 12.0,
        "canary 10 %": 12.1,
        "canary 50 %": 13.0,
        "new champion serves everything": 14.0,
        "alert resolved": 14.1,
    }


def test_phases_follow_each_other():
    found = [(phase.name, round(phase.from_s, 1), round(phase.to_s, 1)) for phase in phases(turn())]

    assert found == [("labels", 11.0, 15.0), ("study", 15.0, 20.0), ("shadow", 20.2, 22.0), ("canary", 22.0, 24.0)]


def test_the_first_task_is_the_first_that_the_alert_asked_for():
    everyday = bought(9, 101.1, alert_id="")

    assert turn(*everyday).first_task().message["label_task_id"] == "task-3"


def test_the_traced_prediction_was_selected_by_the_alert_and_learned_from():
    late = bought(8, 101.2)  # selected earlier, but its label is in no version

    assert traced_prediction(turn(*late)) == "prediction-4"


def test_what_never_happened_is_named():
    with pytest.raises(LookupError, match="no RunFailed since the camera was turned"):
        turn().first("RunFailed")


def test_spending_counts_labels_once_and_only_since_the_turn():
    again = [event for event in bought(3, 107.0, stream="AUDIT") if event.name == "LabelAccepted"]

    found = {spent.stream: (spent.labels, spent.answers) for spent in spending(turn(*again))}

    assert found == {"selected": (2, 2), "audit": (2, 2), "disagreement": (0, 0)}


def test_a_stray_event_of_before_the_turn_is_no_moment_of_it():
    early = happened("AlertOpened", 99.0, alert={"alert_id": "other", "reason": "false"})

    assert turn(early).alert_id == "alert"
