"""The loop closes: the demo's run is the test."""

from demo import Demo


def test_the_loop_closes(demo: Demo) -> None:
    assert demo.exit_code == 0, demo.output
    assert demo.report["closed"]


def test_three_quarters_of_the_lost_accuracy_come_back(demo: Demo) -> None:
    held_out = demo.report["held_out"]
    before, during, after = (stretch["accuracy"]["value"] for stretch in demo.report["traffic"])

    assert held_out["first_old_camera"]["value"] > 0.75
    assert held_out["recovered"]["value"] >= 0.75
    assert during < after < before


def test_nothing_is_lost_and_nothing_counted_twice(demo: Demo) -> None:
    assert demo.books.problems() == []
    assert demo.books.open_ends() == []


def test_labels_bought_to_learn_are_trained_on_and_audits_are_not(demo: Demo) -> None:
    versions = [message["dataset_version"]["counts"] for message in demo.books.messages("VersionCommitted")]
    first, last = versions[0], versions[-1]
    flags = [message["flag"] for message in demo.books.messages("PredictionFlagged")]
    selected = sum(flag["stream"] == "STREAM_SELECTED" for flag in flags)

    assert selected >= 200
    assert int(last["selected"]) <= selected
    assert int(last["train"]) == int(last["imported"]) - int(first["validation"]) + int(last["selected"])
