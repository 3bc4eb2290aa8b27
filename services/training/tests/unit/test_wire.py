from relearn.training.v1 import study_pb2
from relearn_training import wire
from relearn_training.domain.policy import Trigger
from relearn_training.domain.studies import RunState, StudyState


def test_enum_tables_are_total_in_both_directions():
    for table, domain, contract in (
        (wire.TRIGGERS, Trigger, study_pb2.Study.Trigger),
        (wire.STUDY_STATES, StudyState, study_pb2.Study.State),
        (wire.RUN_STATES, RunState, study_pb2.Run.State),
    ):
        assert set(table) == set(domain)
        assert sorted(table.values()) == sorted(set(contract.values()) - {0})
