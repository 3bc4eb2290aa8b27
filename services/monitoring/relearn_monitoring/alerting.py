"""Alerts: opened by detectors or audits, settled by audits, resolved by routes or by quality that is back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from relearn.monitoring.v1.events_pb2 import AlertConfirmed, AlertOpened, AlertRefuted, AlertResolved
from relearn_monitoring import metrics, wire
from relearn_monitoring.domain import alerts
from relearn_monitoring.domain.alerts import Alert, Kind, Outcome, State
from relearn_monitoring.domain.picks import derived_id
from relearn_monitoring.domain.policy import Policy, harm_run
from relearn_monitoring.domain.predictions import FloatArray
from relearn_monitoring.domain.quality import quality
from relearn_monitoring.domain.reference import Reference
from relearn_monitoring.domain.watches import Role, Watch, reference_quality
from relearn_monitoring.store import Transaction
from relearn_monitoring.windowing import close_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """A detector spoke: which, with what value, at which prediction, window or label, told by which events."""

    detector: str
    value: float
    threshold: float
    predicted_at: datetime
    reason: str
    causes: tuple[str, ...]
    prediction_id: str = ""
    window_id: str = ""
    label_id: str = ""


def opened_event_id(alert_id: str) -> str:
    """Id of an alert's AlertOpened: picks made for it name it among their causes."""
    return derived_id(alert_id, "opened")


async def open_shift(
    tx: Transaction, watch: Watch, reference: Reference, spoke: Spoke, *, policy: Policy, now: datetime
) -> Alert:
    """Opens a shift alert; the caller made sure that the version has no live one."""
    alert = await _alert(tx, watch, reference, spoke, kind=Kind.SHIFT, state=State.OPEN, policy=policy, now=now)
    await tx.alerts.add(alert)
    message = AlertOpened(alert=wire.alert(alert), project_id=alert.project_id)
    await tx.outbox.add(message, causes=spoke.causes, ids=[opened_event_id(alert.alert_id)])
    tx.after_commit(tx.wakes.alerted.set)
    tx.after_commit(metrics.ALERTS.labels("shift", "opened").inc)
    return alert


async def on_settled(tx: Transaction, watch: Watch, *, policy: Policy, cause: str, now: datetime) -> Watch:
    """What a newly settled audit of this version changes; returns the watch as saved."""
    live = await tx.alerts.live(watch.model_version_id)
    if live is None:
        return await _watch_harm(tx, watch, policy=policy, cause=cause, now=now)
    if live.state is State.OPEN:
        return await _settle(tx, watch, live, cause=cause, now=now)
    outcomes = await tx.audits.made_since(watch.model_version_id, time=live.updated_at)
    if alerts.is_back(_correct(outcomes), limit=live.limit):
        await resolve(tx, live, why="its audited quality is back", route_id="", causes=(cause,), now=now)
        watch = replace(watch, harm_since=await tx.audits.latest(watch.model_version_id))
        await tx.watches.save(watch)
    return watch


async def resolve(
    tx: Transaction, alert: Alert, *, why: str, route_id: str, causes: Sequence[str], now: datetime
) -> None:
    """The alert is over; its version's detectors start again."""
    over = alerts.resolve(alert, why=why, now=now)
    await tx.alerts.save(over)
    await tx.detectors.reset(over.model_version_id)
    message = AlertResolved(alert=wire.alert(over), project_id=over.project_id, route_id=route_id)
    await tx.outbox.add(message, causes=causes, ids=[derived_id(over.alert_id, "resolved")])
    tx.after_commit(metrics.ALERTS.labels(over.kind.value, "resolved").inc)


async def _settle(tx: Transaction, watch: Watch, live: Alert, *, cause: str, now: datetime) -> Watch:
    outcomes = await tx.audits.of_alert(live.alert_id)
    settled = alerts.settle(live, outcomes, now=now)
    await tx.alerts.save(settled)
    if settled.state is State.CONFIRMED:
        await _say(tx, AlertConfirmed, settled, outcomes, cause=cause)
    elif settled.state is State.REFUTED:
        await _say(tx, AlertRefuted, settled, outcomes, cause=cause)
        if (window := await tx.windows.open(watch.model_version_id)) is not None:
            # not scored: the reference it was counted against is given up
            await close_window(tx, window, scores=(), causes=(window.last_event_id, cause), now=now)
        watch = watch.renewed(harm_since=await tx.audits.latest(watch.model_version_id))
        await tx.detectors.reset(watch.model_version_id)
        await tx.audits.leave_reference(watch.model_version_id)
        await tx.watches.save(watch)
    return watch


async def _watch_harm(tx: Transaction, watch: Watch, *, policy: Policy, cause: str, now: datetime) -> Watch:
    """A harm alert when everyday audits show it; confirmed in the same moment."""
    if not watch.live:
        return watch
    outcomes = await tx.audits.since(watch.model_version_id, settled=watch.harm_since)
    # never against a mean confidence: an estimate is no quality that audits could be worse than
    before = reference_quality(watch, await tx.audits.of_reference(watch.model_version_id), None)
    run = harm_run(policy)
    value = alerts.harmed(_correct(outcomes), limit=max(0.0, before.lower - policy.margin), run=run)
    if value is None:
        return watch
    spoke = Spoke(
        detector="audits",
        value=value,
        threshold=run,
        label_id=next((outcome.label_id for outcome in reversed(outcomes) if outcome.audit is not None), ""),
        predicted_at=now,
        reason="audits show worse quality without a shift alert",
        causes=(cause,),
    )
    alert = await _alert(tx, watch, None, spoke, kind=Kind.HARM, state=State.CONFIRMED, policy=policy, now=now)
    audits = [outcome.audit for outcome in outcomes if outcome.audit is not None]
    alert = replace(alert, quality=quality(audits))
    await tx.alerts.add(alert)
    opened = AlertOpened(alert=wire.alert(alert), project_id=alert.project_id)
    await tx.outbox.add(opened, causes=spoke.causes, ids=[opened_event_id(alert.alert_id)])
    await _say(tx, AlertConfirmed, alert, outcomes, cause=opened_event_id(alert.alert_id))
    return watch


async def _alert(
    tx: Transaction,
    watch: Watch,
    reference: Reference | None,
    spoke: Spoke,
    *,
    kind: Kind,
    state: State,
    policy: Policy,
    now: datetime,
) -> Alert:
    before = reference_quality(watch, await tx.audits.of_reference(watch.model_version_id), reference)
    return Alert(
        alert_id=derived_id(watch.reference_id, spoke.detector, spoke.prediction_id or spoke.causes[0]),
        project_id=watch.project_id,
        model_version_id=watch.model_version_id,
        kind=kind,
        state=state,
        detector=spoke.detector,
        value=spoke.value,
        threshold=spoke.threshold,
        predictions=watch.since_frozen,
        prediction_id=spoke.prediction_id,
        window_id=spoke.window_id,
        label_id=spoke.label_id,
        predicted_at=spoke.predicted_at,
        reason=f"{spoke.reason}; quality before: {before.accuracy:.2f} ({before.source})",
        project_revision=policy.revision,
        opened_at=now,
        updated_at=now,
        limit=max(0.0, before.lower - policy.margin),
        reference_quality=before.accuracy,
        audits_wanted=policy.audits_per_alert if kind is Kind.SHIFT else 0,
        # a challenger learns nothing from labels: they would train the champion's successor, for which it stands
        selected_wanted=policy.selected_per_alert if watch.role is Role.CHAMPION else 0,
    )


async def promoted(tx: Transaction, watch: Watch, *, policy: Policy) -> None:
    """A challenger became champion: its live alert asks for labels to learn from, too."""
    alert = await tx.alerts.live(watch.model_version_id)
    if alert is not None and not alert.selected_wanted:
        await tx.alerts.save(replace(alert, selected_wanted=policy.selected_per_alert))


async def _say(
    tx: Transaction,
    message: type[AlertConfirmed] | type[AlertRefuted],
    alert: Alert,
    outcomes: Sequence[Outcome],
    *,
    cause: str,
) -> None:
    label_ids = [outcome.label_id for outcome in outcomes if outcome.label_id]
    said = message(alert=wire.alert(alert), project_id=alert.project_id, label_ids=label_ids)
    causes = dict.fromkeys([cause, opened_event_id(alert.alert_id)])
    await tx.outbox.add(said, causes=list(causes), ids=[derived_id(alert.alert_id, alert.state.value)])
    tx.after_commit(metrics.ALERTS.labels(alert.kind.value, alert.state.value).inc)


def _correct(outcomes: Sequence[Outcome]) -> FloatArray:
    return np.array([float(outcome.audit.correct) for outcome in outcomes if outcome.audit is not None])
