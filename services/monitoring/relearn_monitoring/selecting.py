"""Inputs selected to learn from: after an alert what has shifted, else what the champion is undecided about."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from relearn_monitoring import wire
from relearn_monitoring.alerting import opened_event_id
from relearn_monitoring.domain import budget, selection
from relearn_monitoring.domain.alerts import Alert
from relearn_monitoring.domain.budget import Purse, Stream
from relearn_monitoring.domain.picks import Pick
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.reference import Reference
from relearn_monitoring.domain.sampling import seed
from relearn_monitoring.domain.selection import Choice
from relearn_monitoring.domain.watches import Role, Watch
from relearn_monitoring.knowledge import Knowledge
from relearn_monitoring.picking import pay
from relearn_monitoring.store import Transaction
from relearn_monitoring.store.inputs import WaitingInput
from relearn_runtime import Now, Store

ROUND = 100
"""Most inputs selected at once after an alert: people start with the first while more are collected."""

_CANDIDATES_PER_PICK = 2
_EVERYDAY_ROUND = 20
_EVERYDAY_CANDIDATES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be selected for one version now."""

    watch: Watch
    alert: Alert | None
    labels: int
    candidates: list[WaitingInput]
    reference: Reference | None
    overdue: bool


async def select(store: Store[Transaction], knowledge: Knowledge, *, now: Now) -> None:
    """One pass over all projects."""
    async with store.transaction() as tx:
        projects = [wire.policy(project) for project in await tx.projects.all()]
    for policy in projects:
        if policy.paused:
            continue
        async with store.transaction() as tx:
            wanted = await _wanted(tx, policy, knowledge, now=now())
        for one in wanted:
            # the arithmetic takes a while, so it happens outside of any transaction
            choices = await asyncio.to_thread(_choose, one)
            if choices:
                async with store.transaction() as tx:
                    await _pick(tx, policy, one, choices, now=now())


async def _wanted(tx: Transaction, policy: Policy, knowledge: Knowledge, *, now: datetime) -> list[_Wanted]:
    wanted = []
    for watch in await tx.watches.of_project(policy.project_id):
        if watch.role is not Role.CHAMPION:
            continue
        alert = await tx.alerts.live(watch.model_version_id)
        labels = await _labels(tx, policy, alert, now=now)
        if labels <= 0:
            continue
        candidates = await tx.waiting.candidates(
            watch.model_version_id, project_id=policy.project_id, since=alert.predicted_at if alert else None
        )
        reference = await knowledge.reference(tx, watch.reference_id) if watch.reference_frozen else None
        overdue = alert is not None and (now - alert.opened_at).total_seconds() >= policy.window_after_s
        wanted.append(
            _Wanted(
                watch=watch,
                alert=alert,
                labels=labels,
                candidates=candidates,
                reference=reference,
                overdue=overdue,
            )
        )
    return wanted


async def _labels(tx: Transaction, policy: Policy, alert: Alert | None, *, now: datetime) -> int:
    """How many labels may be selected now."""
    ledger = await tx.ledgers.get(policy.project_id, now.date())
    if alert is not None:
        left = alert.selected_wanted - await tx.picks.asked(alert.alert_id, Stream.SELECTED)
        return min(ROUND, left, budget.left(ledger, policy, stream=Stream.SELECTED, purse=Purse.RESERVE))
    monitored = await tx.monitored.find(policy.project_id)
    if monitored is None or monitored.day != now.date():
        return 0
    expected = policy.predictions_per_day if monitored.yesterday is None else monitored.yesterday
    share = min(1.0, monitored.today / max(1, expected))
    earned = int(budget.allowance(policy, stream=Stream.SELECTED, purse=Purse.DAILY) * share)
    used = ledger.used(purse=Purse.DAILY, stream=Stream.SELECTED)
    left = budget.left(ledger, policy, stream=Stream.SELECTED, purse=Purse.DAILY)
    return min(_EVERYDAY_ROUND, earned - used, left)


def _choose(wanted: _Wanted) -> list[tuple[WaitingInput, Choice]]:
    """Picks among the candidates, or none while too few have come. Deterministic in what it is given."""
    candidates = wanted.candidates
    if not candidates or len({len(one.embedding) for one in candidates}) != 1:
        return []
    kept = selection.distinct(np.stack([one.embedding for one in candidates]), [one.input.sha256 for one in candidates])
    candidates = [candidates[index] for index in kept.tolist()]
    embeddings = np.stack([one.embedding for one in candidates])
    generator = np.random.default_rng(seed("select", f"{wanted.watch.model_version_id}/{candidates[-1].prediction_id}"))
    if wanted.alert is None:
        if len(candidates) < _EVERYDAY_CANDIDATES:
            return []
        probabilities = np.stack([one.probabilities for one in candidates])
        choices = selection.everyday(probabilities, embeddings, k=wanted.labels, generator=generator)
    else:
        before = wanted.reference.predictions.embeddings if wanted.reference else embeddings[:0]
        moved = selection.shifted(before, embeddings, generator=generator)
        enough = _CANDIDATES_PER_PICK * wanted.labels
        found = len(moved) if not embeddings.shape[1] or not len(before) else int((moved > 0.5).sum())
        if found < enough and not wanted.overdue:
            return []
        choices = selection.after_alert(moved, embeddings, k=wanted.labels, generator=generator)
    return [(candidates[choice.index], choice) for choice in choices]


async def _pick(
    tx: Transaction,
    policy: Policy,
    wanted: _Wanted,
    choices: Sequence[tuple[WaitingInput, Choice]],
    *,
    now: datetime,
) -> None:
    """Reserves and adds the picks, if things still stand as they did when they were chosen."""
    await tx.monitored.lock(policy.project_id, now=now)
    alert = await tx.alerts.live(wanted.watch.model_version_id)
    if (alert.alert_id if alert else None) != (wanted.alert.alert_id if wanted.alert else None):
        return
    labels = min(len(choices), await _labels(tx, policy, alert, now=now))
    inputs = await tx.waiting.named([one.prediction_id for one, _ in choices[: max(0, labels)]])
    picks = [
        _pick_of(inputs[one.prediction_id], choice, policy=policy, alert=alert, now=now)
        for one, choice in choices[: max(0, labels)]
        if one.prediction_id in inputs
    ]
    await pay(tx, policy, picks, ledger=await tx.ledgers.get(policy.project_id, now.date()))


def _pick_of(waiting: WaitingInput, choice: Choice, *, policy: Policy, alert: Alert | None, now: datetime) -> Pick:
    opened = (opened_event_id(alert.alert_id),) if alert else ()
    return Pick(
        project_id=policy.project_id,
        prediction_id=waiting.prediction_id,
        model_version_id=waiting.model_version_id,
        input=waiting.input,
        stream=Stream.SELECTED,
        purse=Purse.RESERVE if alert else Purse.DAILY,
        day=now.date(),
        probability=choice.probability,
        reason=_why(choice),
        predicted_label=waiting.predicted_label,
        confidence=waiting.confidence,
        predicted_at=waiting.predicted_at,
        project_revision=policy.revision,
        causes=(waiting.event_id, *opened),
        traceparent=waiting.traceparent,
        alert_id=alert.alert_id if alert else "",
    )


def _why(choice: Choice) -> str:
    if choice.shifted is None:
        return f"undecided; stands for {choice.cluster} alike"
    if choice.shifted > 0.5:
        return f"unlike the reference (probability {choice.shifted:.2f}); typical of {choice.cluster} alike"
    return f"drawn at random: not enough has shifted (probability {choice.shifted:.2f})"
