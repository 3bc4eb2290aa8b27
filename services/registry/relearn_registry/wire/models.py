"""Model versions and judgements on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from relearn.registry.v1 import events_pb2
from relearn.registry.v1 import model_version_pb2 as pb
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn.serving.v1.route_pb2 import Route
from relearn.training.v1.events_pb2 import StudyFinished
from relearn_registry.domain.judgements import Judgement, Measurement, Verdict
from relearn_registry.domain.model_versions import ModelFile, ModelVersion, model_version_id
from relearn_registry.domain.versions import RouteNow
from relearn_registry.wire.times import timestamp

VERDICTS = {
    Verdict.PASSED: pb.Judgement.VERDICT_PASSED,
    Verdict.REJECTED: pb.Judgement.VERDICT_REJECTED,
    Verdict.UNDECIDED: pb.Judgement.VERDICT_UNDECIDED,
}


def pending_version(finished: StudyFinished, number: int) -> ModelVersion:
    """The version that a study's winner becomes; its files still lie where the run left them."""
    winner = finished.winner
    return ModelVersion(
        model_version_id=model_version_id(finished.project_id, number),
        project_id=finished.project_id,
        number=number,
        study_id=finished.study.study_id,
        run_id=winner.run_id,
        dataset_version_id=finished.study.dataset_version_id,
        family=winner.family,
        classes=tuple(finished.classes),
        label_set_version=finished.label_set_version,
        measurements=measurements_from(winner.measurements),
        files=tuple(
            ModelFile(name=f.name, key=f.key, sha256=f.sha256, size_bytes=f.size_bytes) for f in finished.files
        ),
    )


def model_version(version: ModelVersion) -> pb.ModelVersion:
    """The message of a version."""
    return pb.ModelVersion(
        model_version_id=version.model_version_id,
        project_id=version.project_id,
        number=version.number,
        study_id=version.study_id,
        run_id=version.run_id,
        dataset_version_id=version.dataset_version_id,
        files=[pb.ModelFile(name=f.name, key=f.key, sha256=f.sha256, size_bytes=f.size_bytes) for f in version.files],
        create_time=timestamp(version.registered_at) if version.registered_at else None,
        classes=version.classes,
        label_set_version=version.label_set_version,
        family=version.family,
        measurements=measurements(version.measurements),
    )


def model_version_registered(version: ModelVersion) -> events_pb2.ModelVersionRegistered:
    """The event of a version whose files are in place."""
    return events_pb2.ModelVersionRegistered(model_version=model_version(version), project_id=version.project_id)


def judgement(judged: Judgement) -> pb.Judgement:
    """The message of a judgement."""
    finding = judged.finding
    return pb.Judgement(
        model_version_id=judged.model_version_id,
        champion_model_version_id=judged.champion_id,
        step=judged.step,
        verdict=VERDICTS[finding.verdict],
        reason=finding.reason,
        measurements=measurements(finding.measurements),
        look=finding.look,
        project_revision=judged.project_revision,
        dataset_version_id=judged.dataset_version_id,
        label_ids=finding.label_ids,
        person=judged.person,
        judge_time=timestamp(judged.judged_at),
        judgement_id=judged.judgement_id,
    )


def model_version_judged(project_id: str, judged: Judgement) -> events_pb2.ModelVersionJudged:
    """The event of a judgement."""
    return events_pb2.ModelVersionJudged(project_id=project_id, judgement=judgement(judged))


def measurements(measured: Iterable[Measurement]) -> list[pb.Measurement]:
    """The messages of measurements."""
    return [
        pb.Measurement(name=m.name, value=m.value, lower=m.lower, upper=m.upper, samples=m.samples, limit=m.limit)
        for m in measured
    ]


def measurements_from(messages: Sequence[pb.Measurement]) -> tuple[Measurement, ...]:
    """The values of measurement messages."""
    return tuple(
        Measurement(
            name=m.name,
            value=m.value,
            lower=m.lower if m.HasField("lower") else None,
            upper=m.upper if m.HasField("upper") else None,
            samples=m.samples if m.HasField("samples") else None,
            limit=m.limit if m.HasField("limit") else None,
        )
        for m in messages
    )


def route_now(changed: RouteChanged, *, event_id: str) -> RouteNow:
    """The route in force; a phase we don't know counts as traffic for the challenger."""
    route = changed.route
    return RouteNow(
        route_id=route.route_id,
        event_id=event_id,
        revision=route.revision,
        champion_id=route.champion_model_version_id,
        challenger_id=route.challenger_model_version_id or None,
        in_shadow=route.phase == Route.PHASE_SHADOW,
        barred=frozenset(changed.barred_model_version_ids),
    )
