"""What labeling waits for: people."""

from __future__ import annotations

from relearn_labeling import wire
from relearn_labeling.domain.budgets import utc_day
from relearn_labeling.store import Transaction
from relearn_runtime import Now, Store, Waiting


async def waiting(project_id: str, *, store: Store[Transaction], now: Now) -> list[Waiting]:
    """One line: open tasks, leases, and how much of the day's answers is used.

    Raises:
        NotFound: the project.
    """
    at = now()
    async with store.transaction() as tx:
        policy = wire.policy(await tx.projects.require(project_id))
        size = await tx.queue.size(project_id, now=at)
        answers = await tx.days.answers_on(project_id, utc_day(at))
    today = f"{answers} of {policy.answers_per_day} answers today"
    if size.open_tasks == 0:
        return [Waiting(stage="label tasks", waits_for=f"flags: no open task; {today}")]
    tasks = f"{size.open_tasks} open {'task' if size.open_tasks == 1 else 'tasks'}, {size.live_leases} under lease"
    wanted = f"{size.answers_wanted} answers wanted"
    full = "; the rest waits for the next UTC day" if answers >= policy.answers_per_day else ""
    return [Waiting(stage="label tasks", waits_for=f"{tasks}, {wanted}; {today}{full}", needs_person=True)]
