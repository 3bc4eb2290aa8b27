"""The gate at work: loads what a decision needs, lets the domain decide, keeps and announces what it said.

Everything here runs in a transaction that has locked the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from relearn.registry.v1.project_pb2 import Project
from relearn_registry import metrics
from relearn_registry.domain import step_two, versions
from relearn_registry.domain.judgements import Finding, Judgement, Verdict
from relearn_registry.domain.versions import Candidate, RouteNow, Standing
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
    tx: Transaction,
    project_id: str,
    judged: Judgement,
    *,
    new_id: NewId,
    cause: Event[Any] | None = None,
    causes: Sequence[str] = (),
) -> None:
    """Keeps a judgement, moves its version, and tells everybody."""
    judgement_id, event_id = await tx.judgements.add(judged), new_id()
    await tx.approvals.drop(judged.model_version_id)
    standing = _AFTER[judged.step, judged.verdict]
    await tx.model_versions.move(judged.model_version_id, standing, champion_id=judged.champion_id)
    event = models.model_version_judged(project_id, judged)
    await tx.outbox.add(event, cause=cause, causes=causes, ids=[event_id])
    facts = lineage_of_loop.of_judgement(project_id, judged, judgement_id=judgement_id, event_id=event_id)
    await tx.lineage.add(facts)
    metrics.JUDGEMENTS.labels(str(judged.step), judged.verdict.value).inc()


async def conclude(
    tx: Transaction,
    project: Project,
    judged: Judgement,
    *,
    new_id: NewId,
    cause: Event[Any] | None = None,
    causes: Sequence[str] = (),
) -> None:
    """Announces what the gate found, unless it is a pass into traffic that a person has to approve."""
    into_traffic = judged.step == 2 or judged.champion_id is None
    if judged.verdict is Verdict.PASSED and into_traffic and wire_projects.waits_for_approval(project):
        await tx.approvals.hold(judged)
        await tx.model_versions.move(judged.model_version_id, Standing.APPROVAL, champion_id=judged.champion_id)
        return
    await announce(tx, project.project_id, judged, new_id=new_id, cause=cause, causes=causes)


async def supersede(tx: Transaction, project: Project, *, new_id: NewId, now: Now) -> None:
    """Of several versions that wait, only the newest goes on waiting."""
    route = await tx.routes.find(project.project_id)
    candidates = await tx.model_versions.candidates(project.project_id)
    for older, newest in versions.superseded(candidates, route):
        reason = f"SUPERSEDED: {newest.model_version_id} is newer and waits too"
        version = await tx.model_versions.get(older.model_version_id)
        judged = Judgement(
            model_version_id=older.model_version_id,
            champion_id=route.champion_id if route else None,
            step=1,
            finding=Finding(verdict=Verdict.REJECTED, reason=reason),
            project_revision=project.revision,
            dataset_version_id=version.dataset_version_id,
            person="",
            judged_at=now(),
        )
        cause = await tx.model_versions.cause_of(newest.model_version_id)
        await announce(tx, project.project_id, judged, new_id=new_id, causes=[cause])


async def review(
    tx: Transaction, project: Project, *, new_id: NewId, now: Now, cause: Event[Any] | None = None
) -> None:
    """Gate step 2 for the pair that the route has in the shadow, if there is one; does nothing while it waits."""
    if wire_projects.is_paused(project):
        return
    route = await tx.routes.find(project.project_id)
    challenger = await _in_shadow(tx, project.project_id, route)
    if route is None or challenger is None:
        return
    evidence = await evidence_of(tx, route.champion_id, challenger.model_version_id)
    if evidence is None:
        return
    finding = step_two.judge(evidence, policy=wire_projects.step_two_policy(project), now=now())
    if finding is None:
        return
    judged = Judgement(
        model_version_id=challenger.model_version_id,
        champion_id=route.champion_id,
        step=2,
        finding=finding,
        project_revision=project.revision,
        dataset_version_id="",
        person="",
        judged_at=now(),
    )
    causes = await tx.pairs.events_of(route.champion_id, challenger.model_version_id, finding.label_ids)
    await conclude(tx, project, judged, new_id=new_id, cause=cause, causes=causes)


async def evidence_of(tx: Transaction, champion_id: str, challenger_id: str) -> step_two.Evidence | None:
    """All that is known of a pair; None while it is not known what the challenger was trained on."""
    version = await tx.model_versions.get(challenger_id)
    seen = await tx.labels.seen_by(version.dataset_version_id)
    since = await tx.model_versions.shadow_since(challenger_id)
    if seen is None or since is None:
        return None
    return step_two.Evidence(
        disagreements=await tx.pairs.disagreements(champion_id, challenger_id, seen=seen),
        comparison=await tx.pairs.comparison(champion_id, challenger_id),
        looks=await tx.judgements.looks(challenger_id, champion_id),
        since=since,
    )


async def promote(
    tx: Transaction, project: Project, version_id: str, *, person: str, reason: str, new_id: NewId, now: Now
) -> Judgement:
    """A person's word: approves what the gate would let pass, or overrules it.

    Raises:
        ModelVersionNotFound, AlreadyChampion, VersionBarred.
    """
    route = await tx.routes.find(project.project_id)
    candidates = {c.model_version_id: c for c in await tx.model_versions.candidates(project.project_id)}
    step = versions.check_promotable(candidates[version_id], route)
    version = await tx.model_versions.get(version_id)
    held = await tx.approvals.find(version_id)
    found = held[1] if held else Finding(verdict=Verdict.PASSED, reason="overruled")
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
    await announce(tx, project.project_id, judged, new_id=new_id)
    return judged


async def _in_shadow(tx: Transaction, project_id: str, route: RouteNow | None) -> Candidate | None:
    if route is None or not route.in_shadow:
        return None
    for candidate in await tx.model_versions.candidates(project_id):
        if candidate.model_version_id == route.challenger_id and candidate.standing is Standing.SHADOW:
            return candidate
    return None
