"""What training waits for: labels, time, or its own study."""

from __future__ import annotations

from relearn_runtime import Now, Store, Waiting
from relearn_training import wire
from relearn_training.domain import policy as rules
from relearn_training.domain import studies as moves
from relearn_training.domain.policy import Start
from relearn_training.domain.studies import RunState
from relearn_training.store import Transaction


async def waiting(project_id: str, *, store: Store[Transaction], now: Now) -> list[Waiting]:
    """One line: the running study, or what the policy waits for.

    Raises:
        NotFound: the project.
    """
    async with store.transaction() as tx:
        project = await tx.projects.require(project_id)
        known = await tx.situations.peek(project_id)
        study = await tx.studies.running(project_id)
        runs = await tx.studies.runs_of(study.id) if study is not None else []
    if study is not None:
        done = sum(run.state is not RunState.RUNNING for run in runs)
        line = f"study {study.id}: {done} of {study.plan.trials} trials done"
        return [Waiting(stage="study", waits_for=line, progress=moves.progress(study.plan, runs))]
    policy = wire.policy(project)
    if (unsupported := rules.never(policy)) is not None:
        return [Waiting(stage="training policy", waits_for=f"nothing: {unsupported.detail}")]
    if known is None:
        return [Waiting(stage="training policy", waits_for="a dataset version", progress=0.0)]
    decision = rules.decide(known.situation, policy, now=now())
    if isinstance(decision, Start):
        return [Waiting(stage="training policy", waits_for=f"nothing: a study starts now ({decision.detail})")]
    return [
        Waiting(
            stage="training policy",
            waits_for=decision.detail,
            needs_person=decision.needs_person,
            progress=decision.progress,
        )
    ]
