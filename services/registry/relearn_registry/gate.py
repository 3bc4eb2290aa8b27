"""The gate at work: loads what a decision needs, lets the domain decide, keeps and announces what it said.

Everything here runs in a transaction that has locked the project. `causes` are ids of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from relearn.registry.v1.project_pb2 import Project
from relearn_registry import metrics
from relearn_registry.domain import step_two, versions
from relearn_registry.domain.judgements import Finding, Held, Judgement, Verdict
from relearn_registry.domain.versions import Candidate, ModelVersionNotFound, RouteNow, Standing
from relearn_registry.store import Transaction
from relearn_registry.wire import lineage_of_loop, models
from relearn_registry.wire import projects as wire_projects
from relearn_runtime import Event, NewId, Now

_AFTER = {
    (1, Verdict.PASSED): Standing.ADMITTED,
    (2, Verdict.PASSED): Standing.PASSED,
    (1, Verdict.REJECTED): Standing.REJECTED,
    (2, Verdict.REJECTED): Standing.REJECTED,
    (2, Verdict.UNDECIDED): Standing.SHADOW,
}


async def announce(
    tx: Transaction, project_id: str, judged: Judgement, *, causes: Sequence[str], new_id: NewId
) -> Judgement:
    """Keeps a judgement, moves its version, and tells everybody; the judgement with its id."""
    judged, event_id = await tx.judgements.add(judged), new_id()
    await tx.approvals.drop(judged.model_version_id)
    standing = _AFTER[judged.step, judged.verdict]
    await tx.model_versions.move(judged.model_version_id, standing, champion_id=judged.champion_id)
    await tx.outbox.add(models.model_version_judged(project_id, judged), causes=causes, ids=[event_id])
    await tx.lineage.add(lineage_of_loop.of_judgement(project_id, judged, event_id))
    tx.after_commit(metrics.JUDGEMENTS.labels(str(judged.step), judged.verdict.value).inc)
    return judged


async def conclude(
    tx: Transaction, project: Project, judged: Judgement, *, causes: Sequence[str], new_id: NewId
) -> None:
    """Announces what the gate found, unless it is a pass into traffic that a person has to approve."""
    into_traffic = judged.step == 2 or judged.champion_id is None
    if judged.verdict is Verdict.PASSED and into_traffic and wire_projects.waits_for_approval(project):
        held = Held(finding=judged.finding, causes=tuple(causes), held_at=judged.judged_at)
        await tx.approvals.hold(judged.model_version_id, held)
        await tx.model_versions.move(judged.model_version_id, Standing.APPROVAL, champion_id=judged.champion_id)
        return
    await announce(tx, project.project_id, judged, causes=causes, new_id=new_id)


async def conclude_step_one(
    tx: Transaction, project: Project, version_id: str, finding: Finding, *, new_id: NewId, now: Now
) -> None:
    """Step 1 of a version against the champion of now; what told of both is the cause."""
    route = await tx.routes.find(project.project_id)
    judged = await _judged_by_step_one(tx, project, route, version_id, finding, now=now)
    causes = [await tx.model_versions.registered_event_of(version_id), *([route.event_id] if route else [])]
    await conclude(tx, project, judged, causes=causes, new_id=new_id)


async def supersede(tx: Transaction, project: Project, *, new_id: NewId, now: Now) -> None:
    """Of several versions that wait, only the newest goes on waiting; says nothing while the project is paused."""
    if wire_projects.is_paused(project):
        return
    route = await tx.routes.find(project.project_id)
    candidates = await tx.model_versions.candidates(project.project_id)
    for older, newest in versions.superseded(candidates, route):
        reason = f"SUPERSEDED: {newest.model_version_id} is newer and waits too"
        finding = Finding(verdict=Verdict.REJECTED, reason=reason)
        judged = await _judged_by_step_one(tx, project, route, older.model_version_id, finding, now=now)
        cause = await tx.model_versions.registered_event_of(newest.model_version_id)
        await announce(tx, project.project_id, judged, causes=[cause], new_id=new_id)


async def review(
    tx: Transaction, project: Project, *, new_id: NewId, now: Now, cause: Event[Any] | None = None
) -> None:
    """Gate step 2 for the pair that the route has in the shadow, if there is one; does nothing while it waits."""
    if wire_projects.is_paused(project):
        return
    route = await tx.routes.find(project.project_id)
    challenger = await _in_shadow(tx, route)
    if route is None or challenger is None:
        return
    policy, version_id = wire_projects.step_two_policy(project), challenger.model_version_id
    if held := await tx.approvals.find(version_id):
        finding, causes = step_two.not_approved(held, policy=policy, now=now()), list(held.causes)
    else:
        evidence = await evidence_of(tx, route.champion_id, version_id)
        finding = step_two.judge(evidence, policy=policy, now=now()) if evidence else None
        causes = [*([cause.id] if cause else []), route.event_id]
    if finding is None:
        return
    causes += await tx.pairs.events_of(route.champion_id, version_id, finding.label_ids)
    judged = Judgement(
        model_version_id=version_id,
        champion_id=route.champion_id,
        step=2,
        finding=finding,
        project_revision=project.revision,
        dataset_version_id="",
        person="",
        judged_at=now(),
    )
    await conclude(tx, project, judged, causes=causes, new_id=new_id)


async def evidence_of(tx: Transaction, champion_id: str, challenger_id: str) -> step_two.Evidence | None:
    """All that is known of a pair; None while its shadow has not started."""
    version = await tx.model_versions.get(challenger_id)
    seen = await tx.labels.seen_by(version.dataset_version_id)
    since = await tx.model_versions.shadow_since(challenger_id)
    if since is None:
        return None
    known = None if seen is None else await tx.pairs.disagreements(champion_id, challenger_id, seen=seen)
    return step_two.Evidence(
        disagreements=known,
        comparison=await tx.pairs.comparison(champion_id, challenger_id),
        looks=await tx.judgements.looks(challenger_id, champion_id),
        since=since,
    )


async def promote(
    tx: Transaction, project: Project, version_id: str, *, person: str, reason: str, new_id: NewId, now: Now
) -> Judgement:
    """A person's word: approves what the gate would let pass, or overrules it.

    Raises:
        ModelVersionNotFound, AlreadyChampion, AlreadyInCanary, VersionBarred.
    """
    route = await tx.routes.find(project.project_id)
    candidate = await tx.model_versions.candidate(version_id)
    if candidate is None:
        raise ModelVersionNotFound(f"there is no model version {version_id!r}", model_version_id=version_id)
    step = versions.check_promotable(candidate, route)
    version = await tx.model_versions.get(version_id)
    held = await tx.approvals.find(version_id)
    found = held.finding if held else Finding(verdict=Verdict.PASSED, reason="overruled")
    judged = Judgement(
        model_version_id=version_id,
        champion_id=route.champion_id if route else None,
        step=step,
        finding=replace(found, reason=f"{reason} ({found.reason})"),
        project_revision=project.revision,
        dataset_version_id=version.dataset_version_id if step == 1 else "",
        person=person,
        judged_at=now(),
    )
    causes = held.causes if held else [await tx.model_versions.registered_event_of(version_id)]
    return await announce(tx, project.project_id, judged, causes=causes, new_id=new_id)


async def _judged_by_step_one(
    tx: Transaction, project: Project, route: RouteNow | None, version_id: str, finding: Finding, *, now: Now
) -> Judgement:
    version = await tx.model_versions.get(version_id)
    return Judgement(
        model_version_id=version_id,
        champion_id=route.champion_id if route else None,
        step=1,
        finding=finding,
        project_revision=project.revision,
        dataset_version_id=version.dataset_version_id,
        person="",
        judged_at=now(),
    )


async def _in_shadow(tx: Transaction, route: RouteNow | None) -> Candidate | None:
    """The challenger that step 2 is about, or a person's approval; None when there is none."""
    if route is None or not route.in_shadow or route.challenger_id is None:
        return None
    candidate = await tx.model_versions.candidate(route.challenger_id)
    waits = candidate is not None and candidate.standing in {Standing.SHADOW, Standing.APPROVAL}
    return candidate if waits else None
