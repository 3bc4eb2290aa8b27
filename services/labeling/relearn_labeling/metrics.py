"""Every metric that labeling emits. An id is never a label."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Histogram

from relearn_labeling.domain.facts import Accepted, Disputed, Fact

FACTS = Counter("relearn_labeling_facts_total", "What happened to label tasks", ["fact"])
LEASES_EXPIRED = Counter("relearn_labeling_leases_expired_total", "Leases that ran out unanswered")
TASK_AGE_S = Histogram(
    "relearn_labeling_task_age_seconds",
    "From the opening of a task to its first outcome",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600),
)


def count(facts: Iterable[Fact]) -> None:
    """Counts facts by kind; those of a transaction that fails afterwards are counted again with its retry."""
    for fact in facts:
        FACTS.labels(type(fact).__name__.lower()).inc()
        if isinstance(fact, Accepted | Disputed) and fact.task.revision == 1:
            TASK_AGE_S.observe((fact.task.updated_at - fact.task.created_at).total_seconds())
