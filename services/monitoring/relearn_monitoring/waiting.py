"""What monitoring waits for: references, audits, selected labels, the budget."""

from __future__ import annotations

from datetime import timedelta

from relearn_monitoring import wire
from relearn_monitoring.domain import budget
from relearn_monitoring.domain.alerts import Alert, State
from relearn_monitoring.domain.budget import Purse, Stream
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.watches import Watch
from relearn_monitoring.store import Transaction
from relearn_runtime import Now, Store, Waiting


async def waiting(project_id: str, *, store: Store[Transaction], now: Now) -> list[Waiting]:
    """Lines for the versions in the route, their alerts, a running comparison, and the day's labels.

    Raises:
        NotFound: the project.
    """
    async with store.transaction() as tx:
        policy = wire.policy(await tx.projects.require(project_id))
        watches = [watch for watch in await tx.watches.of_project(project_id) if watch.live]
        lines = [line for watch in watches for line in await _version(tx, watch, policy)]
        if not lines:
            lines = [Waiting(stage="monitoring", waits_for="predictions: none has come yet")]
        challengers = {watch.model_version_id for watch in watches}
        for comparison in await tx.comparisons.of_project(project_id):
            if comparison.challenger in challengers and comparison.champion in challengers:
                asked = f"{comparison.asked} of {comparison.wanted} disagreements asked"
                why = f"; {comparison.stop_reason.value}" if comparison.stop_reason else ""
                text = f"{comparison.pairs} of at least {policy.shadow_pairs} pairs, {asked}{why}"
                lines.append(Waiting(stage="shadow", waits_for=text, progress=comparison.asked / comparison.wanted))
        return [*lines, await _budget(tx, policy, now=now)]


async def _version(tx: Transaction, watch: Watch, policy: Policy) -> list[Waiting]:
    if not watch.reference_frozen:
        have, need = watch.collected, policy.reference_predictions
        text = f"{have} of {need} live predictions of {watch.model_version_id}"
        return [Waiting(stage="reference", waits_for=text, progress=min(1.0, have / need))]
    alert = await tx.alerts.live(watch.model_version_id)
    if alert is None:
        return [Waiting(stage="drift", waits_for=f"a change in the predictions of {watch.model_version_id}: none seen")]
    return [await _alert(tx, alert, policy)]


async def _alert(tx: Transaction, alert: Alert, policy: Policy) -> Waiting:
    settled = len(await tx.audits.of_alert(alert.alert_id))
    asked = await tx.picks.asked(alert.alert_id, Stream.AUDIT)
    selected = await tx.picks.asked(alert.alert_id, Stream.SELECTED)
    bought = f"{asked} of {alert.audits_wanted} audits asked, {selected} of {alert.selected_wanted} selected"
    if selected < alert.selected_wanted:
        of, since = alert.model_version_id, alert.predicted_at
        seen = await tx.waiting.count_candidates(of, project_id=alert.project_id, since=since)
        anyhow = alert.opened_at + timedelta(seconds=policy.window_after_s)
        bought += f" from the shifted ones of {seen} new inputs, from all of them at {anyhow:%H:%M:%S} UTC"
    if alert.state is State.OPEN:
        text = f"{settled} of {alert.audits_wanted} audits settled on {alert.model_version_id}; {bought}"
        progress = settled / alert.audits_wanted if alert.audits_wanted else None
        return Waiting(stage="alert open", waits_for=text, progress=progress)
    text = f"a better version than {alert.model_version_id}, or its quality back at {alert.limit:.2f}; {bought}"
    return Waiting(stage="alert confirmed", waits_for=text)


async def _budget(tx: Transaction, policy: Policy, *, now: Now) -> Waiting:
    ledger = await tx.ledgers.get(policy.project_id, now().date())
    used = ledger.used(purse=Purse.DAILY) + ledger.used(purse=Purse.RESERVE)
    text = f"{used} of {policy.labels_per_day} labels bought today"
    if budget.left(ledger, policy, stream=Stream.SELECTED, purse=Purse.RESERVE) == 0:
        text += "; the reserve is used up until midnight UTC"
    on_the_way = await tx.picks.on_the_way(policy.project_id)
    if on_the_way:
        text += f"; {on_the_way} inputs on their way to datasets"
    if policy.paused:
        text += "; paused: nothing is picked"
    return Waiting(stage="label budget", waits_for=text, progress=min(1.0, used / max(1, policy.labels_per_day)))
