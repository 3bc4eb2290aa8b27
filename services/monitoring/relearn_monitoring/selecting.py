"""Inputs selected to learn from: after an alert what has shifted, else what the champion is undecided about."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from relearn_monitoring import wire
from relearn_monitoring.alerting import opened_event_id
from relearn_monitoring.apart import apart
from relearn_monitoring.domain import budget, rounds, selection
from relearn_monitoring.domain.alerts import Alert
from relearn_monitoring.domain.budget import Purse, Stream
from relearn_monitoring.domain.picks import Pick
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.reference import Reference
from relearn_monitoring.domain.sampling import seed
from relearn_monitoring.domain.selection import Choice
from relearn_monitoring.domain.watches import Watch
from relearn_monitoring.fitted import FittedReferences
from relearn_monitoring.picking import pay
from relearn_monitoring.store import Transaction
from relearn_monitoring.store.inputs import WaitingInput
from relearn_runtime import Now, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """Labels to be selected for the champion.

    Attributes:
        alert: the live one; then what has shifted is selected.
        purse: the reserve pays what the alert asked for, the day's share the rest.
        under_way: picks of the project that are no flags yet.
    """

    watch: Watch
    alert: Alert | None
    purse: Purse
    labels: int
    under_way: int
    overdue: bool

    @property
    def what_for(self) -> tuple[str, str, Purse]:
        """Version, alert and purse."""
        return self.watch.model_version_id, self.alert.alert_id if self.alert else "", self.purse


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What there is to choose from."""

    candidates: list[WaitingInput]
    reference: Reference | None


async def select(store: Store[Transaction], fitted: FittedReferences, *, now: Now) -> None:
    """One pass over all projects."""
    async with store.transaction() as tx:
        projects = [wire.policy(project) for project in await tx.projects.all()]
    for policy in projects:
        with apart("select", project_id=policy.project_id):
            await _select(store, policy, fitted, now=now)


async def _select(store: Store[Transaction], policy: Policy, fitted: FittedReferences, *, now: Now) -> None:
    async with store.transaction() as tx:
        if (need := await _need(tx, policy, now=now())) is None:
            return
        if (offer := await _offer(tx, need, fitted)) is None:
            return
    # the arithmetic takes a while, so it happens outside of any transaction
    choices = await asyncio.to_thread(_choose, need, offer)
    if choices:
        async with store.transaction() as tx:
            await _pick(tx, need, choices, now=now())


async def _need(tx: Transaction, policy: Policy, *, now: datetime) -> _Need | None:
    """What is to be selected in a project, if anything."""
    watch = await tx.watches.champion(policy.project_id)
    monitored = await tx.monitored.find(policy.project_id)
    if policy.paused or watch is None or monitored is None:
        return None
    ledger = await tx.ledgers.get(policy.project_id, now.date())
    under_way = await tx.picks.on_the_way(policy.project_id)
    alert = await tx.alerts.live(watch.model_version_id)
    if alert is not None:
        left = alert.selected_wanted - await tx.picks.asked(alert.alert_id, Stream.SELECTED)
        labels = min(left, budget.left(ledger, policy, stream=Stream.SELECTED, purse=Purse.RESERVE))
        if labels > 0:
            overdue = (now - alert.opened_at).total_seconds() >= policy.window_after_s
            return _Need(
                watch=watch, alert=alert, purse=Purse.RESERVE, labels=labels, under_way=under_way, overdue=overdue
            )
    # an alert that has got all it asked for does not end the everyday: labels may still be missing
    labels = rounds.everyday(policy, monitored.on(now.date()), ledger)
    if not labels:
        return None
    return _Need(watch=watch, alert=alert, purse=Purse.DAILY, labels=labels, under_way=under_way, overdue=False)


async def _offer(tx: Transaction, need: _Need, fitted: FittedReferences) -> _Offer | None:
    """The candidates, or None while they are too few whatever they look like."""
    of, project_id = need.watch.model_version_id, need.watch.project_id
    since = need.alert.predicted_at if need.alert else None
    smallest = min(need.labels, rounds.SMALLEST)
    if need.alert and need.under_way > rounds.LARGEST - smallest:
        return None
    few = rounds.CHOICE * smallest if need.alert else rounds.EVERYDAY_CANDIDATES
    if not need.overdue and await tx.waiting.count_candidates(of, project_id=project_id, since=since) < few:
        return None
    candidates = await tx.waiting.candidates(of, project_id=project_id, since=since, most=rounds.MOST_CANDIDATES)
    frozen = need.watch.reference_frozen
    return _Offer(
        candidates=candidates, reference=await fitted.reference(tx, need.watch.reference_id) if frozen else None
    )


def _choose(need: _Need, offer: _Offer) -> list[tuple[WaitingInput, Choice]]:
    """Picks among the candidates, or none while too few have come. Deterministic in what it is given."""
    candidates = offer.candidates
    if not candidates or len({len(one.embedding) for one in candidates}) != 1:
        return []
    kept = selection.distinct(np.stack([one.embedding for one in candidates]), [one.input.sha256 for one in candidates])
    candidates = [candidates[index] for index in kept.tolist()]
    embeddings = np.stack([one.embedding for one in candidates])
    generator = np.random.default_rng(seed("select", f"{need.watch.model_version_id}/{candidates[-1].prediction_id}"))
    if need.alert is None:
        if len(candidates) < rounds.EVERYDAY_CANDIDATES:
            return []
        probabilities = np.stack([one.probabilities for one in candidates])
        choices = selection.everyday(probabilities, embeddings, k=need.labels, generator=generator)
    else:
        before = offer.reference.predictions.embeddings if offer.reference else embeddings[:0]
        moved = selection.shifted(before, embeddings, generator=generator)
        told_apart = bool(embeddings.shape[1] and len(before))
        found = int((moved > selection.SHIFTED).sum()) if told_apart else len(moved)
        labels = rounds.after_alert(wanted=need.labels, under_way=need.under_way, found=found, overdue=need.overdue)
        choices = selection.after_alert(moved, embeddings, k=labels, generator=generator)
    return [(candidates[choice.index], choice) for choice in choices]


async def _pick(
    tx: Transaction, chosen_for: _Need, choices: Sequence[tuple[WaitingInput, Choice]], *, now: datetime
) -> None:
    """Reserves and adds the picks, as far as things stand as they did when they were chosen."""
    policy = wire.policy(await tx.projects.get(chosen_for.watch.project_id))
    await tx.monitored.lock(policy.project_id, now=now)
    need = await _need(tx, policy, now=now)
    if need is None or need.what_for != chosen_for.what_for:
        return
    first = choices[: need.labels]
    inputs = await tx.waiting.named([one.prediction_id for one, _ in first])
    picks = [
        _pick_of(inputs[one.prediction_id], choice, policy=policy, need=need, now=now)
        for one, choice in first
        if one.prediction_id in inputs
    ]
    await pay(tx, policy, picks, ledger=await tx.ledgers.get(policy.project_id, now.date()))


def _pick_of(waiting: WaitingInput, choice: Choice, *, policy: Policy, need: _Need, now: datetime) -> Pick:
    asked_by = need.alert if need.purse is Purse.RESERVE else None
    opened = (opened_event_id(asked_by.alert_id),) if asked_by else ()
    return Pick(
        project_id=policy.project_id,
        prediction_id=waiting.prediction_id,
        model_version_id=waiting.model_version_id,
        input=waiting.input,
        stream=Stream.SELECTED,
        purse=need.purse,
        picked_at=now,
        probability=choice.probability,
        reason=_why(choice),
        predicted_label=waiting.predicted_label,
        confidence=waiting.confidence,
        predicted_at=waiting.predicted_at,
        project_revision=policy.revision,
        causes=(waiting.event_id, *opened),
        traceparent=waiting.traceparent,
        alert_id=asked_by.alert_id if asked_by else "",
    )


def _why(choice: Choice) -> str:
    if choice.shifted is None:
        return f"undecided; stands for {choice.cluster} alike"
    if choice.shifted > selection.SHIFTED:
        return f"unlike the reference (probability {choice.shifted:.2f}); typical of {choice.cluster} alike"
    return f"drawn at random: not enough has shifted (probability {choice.shifted:.2f})"
