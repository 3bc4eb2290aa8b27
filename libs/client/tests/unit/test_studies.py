"""Studies as the wire tells them."""

import pytest

from relearn.training.v1 import study_pb2
from relearn_client.studies import _short


@pytest.mark.parametrize(
    ("enum", "number", "name"),
    [
        (study_pb2.Study.State, study_pb2.Study.STATE_RUNNING, "running"),
        (study_pb2.Study.Trigger, study_pb2.Study.TRIGGER_MANUAL, "manual"),
        (study_pb2.Run.State, 99, "unknown"),
    ],
)
def test_names_are_short_and_what_a_newer_service_says_is_unknown(enum, number, name):
    assert _short(enum, number) == name
