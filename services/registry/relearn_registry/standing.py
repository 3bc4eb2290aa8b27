"""Where a version stands and what it waits for, in words; and the registry's own answer to why."""

from __future__ import annotations

from relearn.registry.v1.project_pb2 import Project
from relearn_registry import gate
from relearn_registry.domain import step_two
from relearn_registry.domain.versions import Candidate, Standing
from relearn_registry.store import Transaction
from relearn_registry.wire import projects as wire_projects
from relearn_runtime import Store, Waiting

_IN_WORDS = {
    Standing.ADMITTED: "passed gate step 1, waits for serving to start it",
    Standing.PASSED: "passed, waits for serving to let it into traffic",
    Standing.CANARY: "is in the canary",
    Standing.CHAMPION: "serves",
    Standing.UNDONE: "was taken out of traffic",
    Standing.RETIRED: "was champion",
}


async def waiting(project_id: str, *, store: Store[Transaction]) -> list[Waiting]:
    """What the gate waits for, a line each; served as GetWaiting."""
    async with store.transaction() as tx:
        project = await tx.projects.require(project_id)
        lines = [line for c in await tx.model_versions.candidates(project_id) if (line := await _line(tx, project, c))]
        lines += [
            Waiting(stage="model files", waits_for=f"{version}: {problem}", needs_person=True)
            for version, problem in await tx.model_versions.problems(project_id)
        ]
    if wire_projects.is_paused(project):
        paused = Waiting(stage="project", waits_for="is paused; resume it and the loop goes on", needs_person=True)
        return [paused, *lines]
    return lines or [Waiting(stage="gate", waits_for="a study's winner")]


async def sentence(tx: Transaction, project: Project, candidate: Candidate) -> str:
    """One line: where a version stands and what it waits for."""
    if candidate.standing is Standing.REJECTED:
        judged = await tx.judgements.of(candidate.model_version_id)
        return f"rejected: {judged[-1].finding.reason}" if judged else "rejected"
    if line := await _line(tx, project, candidate):
        return f"{line.stage}: {line.waits_for}"
    route = await tx.routes.find(project.project_id)
    barred = route is not None and candidate.model_version_id in route.barred
    said = _IN_WORDS.get(candidate.standing, candidate.standing.value)
    return f"{said}, barred by a rollback" if barred else said


async def _line(tx: Transaction, project: Project, candidate: Candidate) -> Waiting | None:
    version = candidate.model_version_id
    match candidate.standing:
        case Standing.COPYING:
            return Waiting(stage="model files", waits_for=f"{version}: its files are being copied and checked")
        case Standing.WAITING:
            return Waiting(stage="gate step 1", waits_for=await _what_step_one_waits_for(tx, project, version))
        case Standing.SHADOW:
            return await _shadow(tx, project, version)
        case Standing.APPROVAL:
            return await _approval(tx, project, version)
        case Standing.ADMITTED | Standing.PASSED:
            return Waiting(stage="rollout", waits_for=f"{version} {_IN_WORDS[candidate.standing]}")
        case _:
            return None


async def _what_step_one_waits_for(tx: Transaction, project: Project, version: str) -> str:
    route = await tx.routes.find(project.project_id)
    if route and route.challenger_id:
        return f"{version} waits until {route.challenger_id} is champion or out"
    return f"{version} is about to be judged"


async def _approval(tx: Transaction, project: Project, version: str) -> Waiting:
    """A challenger holds newer ones up, so its approval has a deadline; a first version is replaced by a newer one."""
    held, route = await tx.approvals.find(version), await tx.routes.find(project.project_id)
    why = held.finding.reason if held else "passed"
    end = "a newer version replaces it"
    if held and route:
        end = f"it is rejected at {held.held_at + wire_projects.step_two_policy(project).deadline:%Y-%m-%d %H:%M} UTC"
    return Waiting(stage="approval", waits_for=f"{version}: {why}; promote it, or {end}", needs_person=True)


async def _shadow(tx: Transaction, project: Project, version: str) -> Waiting:
    route = await tx.routes.find(project.project_id)
    evidence = await gate.evidence_of(tx, route.champion_id, version) if route else None
    if evidence is None or evidence.disagreements is None:
        waits_for = f"{version}: the dataset versions it was trained on are not all known yet"
        return Waiting(stage="gate step 2", waits_for=waits_for)
    wanted = wire_projects.step_two_policy(project).per_look * (evidence.looks + 1)
    asked = [d for d in evidence.disagreements if d.number <= wanted]
    settled = sum(d.settled for d in asked)
    tally = step_two.tally_of(asked)
    said = (
        f"{version}: {settled} of {wanted} disagreements settled ({len(asked)} asked; "
        f"{tally.wins} for it, {tally.losses} for the champion)"
    )
    return Waiting(stage="gate step 2", waits_for=said, progress=min(1.0, settled / wanted))
