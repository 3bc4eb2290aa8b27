"""Protobuf in both directions, and files as evidence."""

import io
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from relearn.labeling.v1.events_pb2 import AnnotationSubmitted
from relearn.labeling.v1.label_task_pb2 import Annotation, Region
from relearn.monitoring.v1.flag_pb2 import Disagreement, Flag, Stream
from relearn.registry.v1 import model_version_pb2 as pb
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn.serving.v1.route_pb2 import Route
from relearn_registry.domain.judgements import Finding, Judgement, Measurement, Verdict
from relearn_registry.validation_file import ValidationUnreadable, validation_predictions
from relearn_registry.wire import lineage_of_labels, models
from relearn_registry.wire.evidence import InvalidDisagreement, asked_disagreement


def parquet(**changes):
    columns = {
        "sample_id": ["p/sample/1", "p/sample/2", "p/sample/3"],
        "stream": ["imported", "audit", "disagreement"],
        "probability": [None, 0.25, 0.5],
        "label": ["coat", "shirt", "coat"],
        "predicted": ["coat", "coat", "coat"],
        "confidence": [0.9, 0.6, 0.5],
    } | changes
    buffer = io.BytesIO()
    pl.DataFrame({name: values for name, values in columns.items() if values is not None}).write_parquet(buffer)
    return buffer.getvalue()


def test_verdicts_and_streams_are_total():
    assert set(models.VERDICTS) == set(Verdict)
    assert set(models.VERDICTS.values()) == set(pb.Judgement.Verdict.values()) - {pb.Judgement.VERDICT_UNSPECIFIED}
    assert set(lineage_of_labels.STREAMS) == set(Stream.values())


def test_a_measurement_keeps_what_is_absent_absent():
    measured = (Measurement(name="a", value=1, lower=0.0, limit=0.0), Measurement(name="b", value=2, samples=3))

    assert models.measurements_from(models.measurements(measured)) == measured


def test_a_judgement_of_a_first_version_names_no_champion():
    judged = Judgement(
        model_version_id="p/model/1",
        champion_id=None,
        step=1,
        finding=Finding(verdict=Verdict.PASSED, reason="good"),
        project_revision=1,
        dataset_version_id="p/data/1",
        person="",
        judged_at=datetime(2026, 11, 23, tzinfo=UTC),
    )

    message = models.judgement(judged)

    assert not message.HasField("champion_model_version_id")
    assert message.verdict == pb.Judgement.VERDICT_PASSED


def test_an_unknown_phase_with_a_challenger_is_not_taken_for_a_shadow():
    changed = RouteChanged(
        route=Route(route_id="p/route/3", revision=3, champion_model_version_id="a", challenger_model_version_id="b")
    )
    changed.route.phase = 99

    assert not models.route_now(changed, event_id="e").in_shadow


def test_a_validation_file_becomes_arrays_without_what_is_no_validation():
    found = validation_predictions(parquet())

    assert list(found.sample_ids) == ["p/sample/1", "p/sample/2"]
    np.testing.assert_allclose(found.weights, [1, 4])
    np.testing.assert_allclose(found.correct, [1, 0])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"label": ["coat", None, "coat"]}, "no value in label"),
        ({"sample_id": ["a", "a", "b"]}, "a sample twice"),
        ({"probability": [None, None, None]}, "an audit without a probability"),
        ({"probability": [None, 1.5, None]}, "an audit without a probability"),
        ({"confidence": [0.9, -0.1, 0.5]}, "a confidence outside"),
        ({"predicted": None}, "can't be read"),
        ({"confidence": ["high", "low", "low"]}, "can't be read"),
    ],
)
def test_a_validation_file_that_says_nonsense_is_refused_with_what_is_wrong(changes, problem):
    with pytest.raises(ValidationUnreadable, match=problem):
        validation_predictions(parquet(**changes))


def test_bytes_that_are_no_parquet_are_refused():
    with pytest.raises(ValidationUnreadable):
        validation_predictions(b"PK not parquet")


@pytest.mark.parametrize(("place", "byte"), [(563, 224), (1358, 79), (1438, 243), (1638, 48)])
def test_a_damaged_page_is_refused_though_polars_panics(place, byte):
    """A panic is no Exception: it would end the process."""
    damaged = bytearray(parquet())
    damaged[place] = byte

    with pytest.raises(ValidationUnreadable):
        validation_predictions(bytes(damaged))


def test_only_disagreements_are_asked_about():
    assert asked_disagreement(Flag(stream=Stream.STREAM_AUDIT)) is None
    pair = Disagreement(champion_model_version_id="a", challenger_model_version_id="b", number=7)
    asked = asked_disagreement(Flag(flag_id="f", stream=Stream.STREAM_DISAGREEMENT, disagreement=pair))
    assert asked is not None
    assert (asked.champion_id, asked.challenger_id, asked.number) == ("a", "b", 7)


def test_a_disagreement_without_pair_or_number_is_refused():
    with pytest.raises(InvalidDisagreement):
        asked_disagreement(Flag(flag_id="f", stream=Stream.STREAM_DISAGREEMENT))


def test_an_answer_of_thousands_of_regions_is_told_in_a_line():
    regions = [Region(label=f"class-{i % 7}") for i in range(5000)]
    event = SimpleNamespace(
        id="e", message=AnnotationSubmitted(annotation=Annotation(annotation_id="a", regions=regions))
    )

    (node, *_) = lineage_of_labels.of_annotation(event).nodes

    assert node.summary.startswith(" answered 715 x 'class-0', 715 x 'class-1', 714 x 'class-2'")
    assert node.summary.endswith("714 x 'class-4' and 2 more")
