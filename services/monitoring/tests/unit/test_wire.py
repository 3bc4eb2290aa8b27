"""The wire: every enum in both directions, and predictions that can never be counted are refused."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from relearn.monitoring.v1 import alert_pb2, flag_pb2
from relearn.registry.v1 import model_version_pb2, project_pb2
from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_monitoring import wire
from relearn_monitoring.domain.alerts import Kind, State
from relearn_monitoring.domain.budget import Stream
from relearn_monitoring.domain.watches import Arm
from relearn_runtime import Event
from relearn_runtime.errors import InvalidInput


@pytest.mark.parametrize(
    ("table", "ours", "theirs"),
    [
        (wire.STREAMS, Stream, flag_pb2.Stream),
        (wire.KINDS, Kind, alert_pb2.Alert.Kind),
        (wire.STATES, State, alert_pb2.Alert.State),
        ({arm: number for number, arm in wire.ARMS.items()}, Arm, PredictionMade.Arm),
    ],
)
def test_enum_tables_are_total_in_both_directions(table, ours, theirs):
    assert set(table) == set(ours)
    assert set(table.values()) == {number for number in theirs.values() if number}


def event(**fields) -> Event[PredictionMade]:
    message = PredictionMade(
        **{
            "prediction_id": "p/0",
            "project_id": "clothes",
            "model_version_id": "clothes/model/1",
            "gateway_id": "g",
            "arm": PredictionMade.ARM_CHAMPION,
            "probabilities": [0.25, 0.75],
            "predicted_label": "boot",
            "confidence": 0.75,
            "embedding": np.ones(4, dtype="<f2").tobytes(),
        }
        | fields
    )
    at = datetime(2026, 11, 23, tzinfo=UTC)
    kafka = {"topic": "t", "partition": 0, "offset": 0}
    return Event(id="p/0", source="s", type="t", subject="", key="", time=at, causes=(), message=message, **kafka)


def test_prediction_without_an_encoded_input_cannot_be_picked():
    tensor = wire.made(event(), classes=2)
    picture = wire.made(event(input_content=b"png", input_sha256="ab"), classes=2)
    large = wire.made(event(input_key="inputs/a", input_sha256="ab"), classes=2)

    assert [made.pickable for made in (tensor, picture, large)] == [False, True, True]
    assert np.isnan(tensor.statistics).all()


def test_arm_of_tomorrow_is_no_evidence():
    assert wire.made(event(arm=9), classes=2).arm is Arm.PINNED


@pytest.mark.parametrize(
    "fields",
    [
        {"prediction_id": ""},
        {"model_version_id": ""},
        {"probabilities": [0.5, 0.4, 0.1]},
        {"probabilities": [2.0, -1.0]},
        {"probabilities": [float("nan"), 1.0]},
        {"embedding": b"odd"},
        {"embedding": b"\0\0" * 65},
        {"embedding": np.array([np.inf], dtype="<f2").tobytes()},
        {"arm": PredictionMade.ARM_SHADOW},
    ],
)
def test_prediction_that_can_never_be_counted_is_refused(fields):
    with pytest.raises(InvalidInput):
        wire.made(event(**fields), classes=2)


def test_policy_has_the_contracts_defaults():
    policy = wire.policy(project_pb2.Project(project_id="clothes"))

    assert (policy.labels_per_day, policy.audit_share, policy.reserve_share) == (500, 0.1, 0.8)
    assert (policy.audits_per_alert, policy.selected_per_alert, policy.reference_predictions) == (50, 200, 1000)
    assert (policy.window_predictions, policy.window_after_s) == (500, 300.0)
    assert (policy.shadow_pairs, policy.disagreements_per_look, policy.min_disagreement) == (1000, 60, 0.02)


def test_zero_that_was_chosen_is_no_default():
    chosen = project_pb2.Project(monitoring=project_pb2.MonitoringPolicy(selected_per_alert=0, audit_share=0.0))

    assert wire.policy(chosen).selected_per_alert == 0
    assert wire.policy(chosen).audit_share == 0.0


def test_version_is_as_good_as_on_its_hardest_population():
    def measured(name, value, lower):
        return model_version_pb2.Measurement(name=name, value=value, lower=lower, upper=1.0, samples=100)

    version = model_version_pb2.ModelVersion(
        measurements=[
            measured("accuracy/imported", 0.8, 0.78),
            measured("accuracy/audit", 0.7, 0.56),
            measured("calibration/imported", 0.02, 0.01),
        ]
    )

    found = wire.validated(version)

    assert found is not None
    assert (found.accuracy, found.lower, found.audits) == (0.7, 0.56, 100)
    assert wire.validated(model_version_pb2.ModelVersion()) is None
