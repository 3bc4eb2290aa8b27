"""Domain to protobuf and back; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from relearn.datasets.v1.dataset_version_pb2 import DatasetVersion as DatasetVersionMessage
from relearn.registry.v1.model_version_pb2 import Measurement as MeasurementMessage
from relearn.registry.v1.model_version_pb2 import ModelFile
from relearn.registry.v1.project_pb2 import INPUT_KIND_IMAGE, REGION_KIND_WHOLE, Project
from relearn.training.v1 import events_pb2, study_pb2
from relearn_runtime.errors import InvalidInput
from relearn_training.domain.measurements import Measurement
from relearn_training.domain.policy import DatasetVersion, Known, Policy, Trigger, Wait
from relearn_training.domain.studies import Plan, Run, RunState, StoredFile, Study, StudyState

TRIGGERS: Mapping[Trigger, study_pb2.Study.Trigger.ValueType] = {
    Trigger.INITIAL: study_pb2.Study.TRIGGER_INITIAL,
    Trigger.NEW_LABELS: study_pb2.Study.TRIGGER_NEW_LABELS,
    Trigger.CONFIRMED_ALERT: study_pb2.Study.TRIGGER_CONFIRMED_ALERT,
    Trigger.MANUAL: study_pb2.Study.TRIGGER_MANUAL,
}
STUDY_STATES: Mapping[StudyState, study_pb2.Study.State.ValueType] = {
    StudyState.RUNNING: study_pb2.Study.STATE_RUNNING,
    StudyState.FINISHED: study_pb2.Study.STATE_FINISHED,
    StudyState.FAILED: study_pb2.Study.STATE_FAILED,
}
RUN_STATES: Mapping[RunState, study_pb2.Run.State.ValueType] = {
    RunState.RUNNING: study_pb2.Run.STATE_RUNNING,
    RunState.FINISHED: study_pb2.Run.STATE_FINISHED,
    RunState.FAILED: study_pb2.Run.STATE_FAILED,
    RunState.PRUNED: study_pb2.Run.STATE_PRUNED,
}


def policy(project: Project) -> Policy:
    """When the project trains. Registry has filled the defaults in."""
    message = project.training
    return Policy(
        min_train_labels=message.min_train_labels,
        min_validation_labels=message.min_validation_labels,
        new_labels=message.new_labels,
        new_labels_after_alert=message.new_labels_after_alert,
        cool_down=message.cool_down.ToTimedelta(),
        paused=project.state == Project.STATE_PAUSED,
        trainable=_is_trainable(project),
        revision=project.revision,
    )


def _is_trainable(project: Project) -> bool:
    kinds = set(project.label_set.region_kinds) or {REGION_KIND_WHOLE}
    one_class = kinds == {REGION_KIND_WHOLE} and not project.label_set.multi_label
    return project.input_kind == INPUT_KIND_IMAGE and one_class


def plan(project: Project, known: Known) -> Plan:
    """How a study of the project that starts now is carried out."""
    message = project.training
    size = message.image_size if message.HasField("image_size") else None
    return Plan(
        classes=tuple(project.label_set.classes),
        label_set_version=project.label_set.version,
        trials=message.trials,
        trials_in_parallel=message.trials_in_parallel,
        epochs=message.epochs,
        update_epochs=message.update_epochs,
        new_share=message.new_share,
        families=tuple(message.families),
        time_budget=message.time_budget.ToTimedelta(),
        seed=message.seed,
        image_size=(size.height, size.width, size.channels) if size is not None else None,
        champion_run_id=known.champion_run_id,
        champion_version_n=known.champion_version_n,
        audits_since_n=max(known.alert_version_n, known.champion_version_n),
    )


def dataset_version(message: DatasetVersionMessage) -> DatasetVersion:
    """What the policy looks at. Raises InvalidInput for a version without id or number."""
    if not message.dataset_version_id or message.number < 1:
        raise InvalidInput(f"a dataset version has an id and a number from 1, got {message.number}")
    counts = message.counts
    return DatasetVersion(
        id=message.dataset_version_id,
        number=message.number,
        train=counts.train,
        validation=counts.validation,
    )


def version_number(dataset_version_id: str) -> int:
    """The number that a dataset version's id ends in. Raises InvalidInput."""
    number = dataset_version_id.rpartition("/")[2]
    if not number.isdecimal():
        raise InvalidInput(f"dataset version ids end in their number, got {dataset_version_id!r}")
    return int(number)


def time(message: Timestamp) -> datetime:
    """The moment, in UTC; 1970 where it was not set."""
    return message.ToDatetime(tzinfo=UTC)


def study(value: Study) -> study_pb2.Study:
    """The resource."""
    message = study_pb2.Study(
        study_id=value.id,
        project_id=value.project_id,
        dataset_version_id=value.dataset_version.id,
        trigger=TRIGGERS[value.trigger],
        reason=value.detail,
        alert_id=value.alert_id,
        champion_model_version_id=value.champion,
        state=STUDY_STATES[value.state],
        trials=value.plan.trials,
        seed=value.plan.seed,
        project_revision=value.project_revision,
        person=value.person,
        failure=value.failure,
    )
    message.start_time.FromDatetime(value.started_at)
    if value.ended_at is not None:
        message.end_time.FromDatetime(value.ended_at)
    return message


def run(value: Run) -> study_pb2.Run:
    """The resource."""
    message = study_pb2.Run(
        run_id=value.id,
        study_id=value.study_id,
        project_id=value.project_id,
        trial=value.trial,
        state=RUN_STATES[value.state],
        family=value.parameters.family,
        parameters=[
            study_pb2.Parameter(name=name, text=number)
            if isinstance(number, str)
            else study_pb2.Parameter(name=name, number=float(number))
            for name, number in value.parameters.to_dict().items()
        ],
        failure=value.failure,
        duration_s=value.duration_s,
    )
    message.start_time.FromDatetime(value.started_at)
    if value.ended_at is not None:
        message.end_time.FromDatetime(value.ended_at)
    if value.result is not None:
        message.objective = value.result.objective
        message.measurements.extend(measurement(one) for one in value.result.measurements)
        message.samples_per_second = value.result.samples_per_second
        message.code_digest = value.result.code_digest
    return message


def measurement(value: Measurement) -> MeasurementMessage:
    """The message; what is not known stays absent."""
    message = MeasurementMessage(name=value.name, value=value.value)
    if value.lower is not None:
        message.lower = value.lower
    if value.upper is not None:
        message.upper = value.upper
    if value.samples is not None:
        message.samples = value.samples
    return message


def model_file(value: StoredFile) -> ModelFile:
    """The message."""
    return ModelFile(name=value.name, key=value.key, sha256=value.sha256, size_bytes=value.size_bytes)


def study_started(value: Study) -> events_pb2.StudyStarted:
    """The event."""
    return events_pb2.StudyStarted(study=study(value), project_id=value.project_id)


def study_skipped(
    project_id: str, wait: Wait, *, dataset_version_id: str, project_revision: int, decided_at: datetime
) -> events_pb2.StudySkipped:
    """The event."""
    message = events_pb2.StudySkipped(
        project_id=project_id,
        dataset_version_id=dataset_version_id,
        reason=wait.reason.value,
        detail=wait.detail,
        project_revision=project_revision,
    )
    message.decide_time.FromDatetime(decided_at)
    return message


def run_ended(value: Run) -> events_pb2.RunFinished | events_pb2.RunFailed:
    """The one event of a run's outcome."""
    if value.state is RunState.FAILED:
        return events_pb2.RunFailed(run=run(value), project_id=value.project_id)
    return events_pb2.RunFinished(run=run(value), project_id=value.project_id)


def study_finished(value: Study, winner: Run | None) -> events_pb2.StudyFinished:
    """The event; without winner and files when the study failed."""
    message = events_pb2.StudyFinished(
        study=study(value),
        project_id=value.project_id,
        classes=value.plan.classes,
        label_set_version=value.plan.label_set_version,
    )
    if winner is not None and winner.result is not None:
        message.winner.CopyFrom(run(winner))
        message.files.extend(model_file(file) for file in winner.result.files)
    return message
