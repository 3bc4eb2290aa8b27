"""The one place where a study begins: behind events, the reconsider job and the RPC alike."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import Message

from relearn.registry.v1.project_pb2 import Project
from relearn_runtime import Event, NewId
from relearn_training import metrics, wire
from relearn_training.domain import policy as rules
from relearn_training.domain.policy import DatasetVersion, Decision, Known, Start, Trigger
from relearn_training.domain.studies import Study, StudyState
from relearn_training.store import Transaction


async def consider(
    project_id: str, tx: Transaction, *, new_id: NewId, now: datetime, cause: Event[Message] | None
) -> Decision:
    """Ask the policy, and start a study if it says so; when to look again is noted.

    The situation is locked before the project is read, by everybody: whoever saves a newer project notes after that,
    under the lock, that the policy must be asked again. Read first, an old pause would be decided by and noted last.

    Raises:
        NotYetKnown: the project.
    """
    known = await tx.situations.lock(project_id)
    project = await tx.projects.get(project_id)
    policy = wire.policy(project)
    decision = rules.decide(known.situation, policy, now=now)
    newest = known.situation.newest
    if isinstance(decision, Start):
        assert newest is not None  # noqa: S101 - the policy starts nothing without a version
        await begin(project, known, newest, decision, tx, person="", new_id=new_id, now=now, cause=cause)
        await tx.situations.reconsider(project.project_id, None)
    else:
        metrics.DECISIONS.labels(decision.reason.value.lower()).inc()
        await tx.situations.reconsider(project.project_id, decision.until)
    await tx.situations.decided(
        project.project_id,
        version_id=newest.id if newest is not None else None,
        decision=decision.trigger.value if isinstance(decision, Start) else decision.reason.value,
        detail=decision.detail,
        revision=policy.revision,
        at=now,
    )
    return decision


async def begin(
    project: Project,
    known: Known,
    version: DatasetVersion,
    start: Start,
    tx: Transaction,
    *,
    person: str,
    new_id: NewId,
    now: datetime,
    cause: Event[Message] | None,
) -> Study:
    """Add the study and its StudyStarted; jobs find it there. The situation is locked by the caller."""
    study = Study(
        id=new_id(),
        project_id=project.project_id,
        dataset_version=version,
        trigger=start.trigger,
        detail=start.detail,
        alert_id=start.alert_id,
        champion=known.situation.champion,
        state=StudyState.RUNNING,
        plan=wire.plan(project, known),
        project_revision=project.revision,
        started_at=now,
        started_event_id=new_id(),
        person=person,
    )
    await tx.studies.add(study)
    causes = known.causes if start.trigger is not Trigger.MANUAL else ()
    await tx.outbox.add(wire.study_started(study), cause=cause, causes=causes, ids=[study.started_event_id])
    metrics.DECISIONS.labels(start.trigger.value).inc()
    return study
