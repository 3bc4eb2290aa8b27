"""Which predictions are bought a label as they come: audits, each drawn by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from relearn_monitoring import metrics
from relearn_monitoring.alerting import opened_event_id
from relearn_monitoring.domain import budget
from relearn_monitoring.domain.alerts import Alert, State
from relearn_monitoring.domain.budget import Ledger, Purse, Stream
from relearn_monitoring.domain.picks import Input, Pick
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.sampling import alert_audit_rate, audit_rate, draw, expected_left
from relearn_monitoring.domain.watches import Made, Monitored
from relearn_monitoring.store import Transaction


async def pay(tx: Transaction, policy: Policy, picks: Sequence[Pick], *, ledger: Ledger) -> list[Pick]:
    """Adds picks and reserves their labels, as far as the budget reaches; returns those that were added."""
    affordable = budget.affordable(ledger, policy, [(pick.stream, pick.purse) for pick in picks])
    added = await tx.picks.add([pick for pick, paid in zip(picks, affordable, strict=True) if paid])
    if not added:
        return []
    for pick in added:
        ledger = budget.reserve(ledger, stream=pick.stream, purse=pick.purse, labels=1)
        tx.after_commit(metrics.PICKS.labels(pick.stream.value).inc)
    await tx.ledgers.save(policy.project_id, ledger)
    tx.after_commit(tx.wakes.picked.set)
    return added


@dataclass(slots=True, kw_only=True)
class _Asked:
    """Audits that an alert still wants, while a batch is drawn."""

    alert: Alert
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Draws audits from new predictions of one project, in one transaction."""

    tx: Transaction
    policy: Policy
    monitored: Monitored
    now: datetime

    async def audit(self, made: Sequence[Made], *, in_reference: set[str]) -> list[Pick]:
        """Picks among predictions that may be picked; nothing in a paused project."""
        if self.policy.paused or not made:
            return []
        ledger = await self.tx.ledgers.get(self.policy.project_id, self.now.date())
        asked = await self._asked(ledger)
        expected = expected_left(self.policy, self.now, yesterday=self.monitored.yesterday, today=self.monitored.today)
        left = budget.left(ledger, self.policy, stream=Stream.AUDIT, purse=Purse.DAILY)
        everyday = audit_rate(left, expected=expected)
        drawn: list[Pick] = []
        for one in made:
            in_its = one.prediction_id in in_reference
            pick = self._draw(one, asked.get(one.model_version_id), everyday=everyday, in_reference=in_its)
            if pick is not None:
                drawn.append(pick)
        return await pay(self.tx, self.policy, drawn, ledger=ledger)

    async def _asked(self, ledger: Ledger) -> dict[str, _Asked]:
        """What open alerts still want and can have, by version."""
        can = budget.left(ledger, self.policy, stream=Stream.AUDIT, purse=Purse.RESERVE)
        return {
            alert.model_version_id: _Asked(
                alert=alert,
                left=min(can, alert.audits_wanted - await self.tx.picks.asked(alert.alert_id, Stream.AUDIT)),
            )
            for alert in await self.tx.alerts.live_of_project(self.policy.project_id)
            if alert.state is State.OPEN
        }

    def _draw(self, made: Made, asked: _Asked | None, *, everyday: float, in_reference: bool) -> Pick | None:
        if asked and asked.left > 0 and made.predicted_at >= asked.alert.predicted_at:
            rate = alert_audit_rate(self.policy)
            if draw("audit", made.prediction_id) >= rate:
                return None
            asked.left -= 1
            return pick_of(
                made,
                policy=self.policy,
                stream=Stream.AUDIT,
                purse=Purse.RESERVE,
                now=self.now,
                probability=rate,
                reason=f"audit of the alert: drawn at random with probability {rate:.2g}",
                alert=asked.alert,
            )
        if not made.auditable or draw("audit", made.prediction_id) >= everyday:
            return None
        return pick_of(
            made,
            policy=self.policy,
            stream=Stream.AUDIT,
            purse=Purse.DAILY,
            now=self.now,
            probability=everyday,
            reason=f"audit: drawn at random with probability {everyday:.2g}",
            in_reference=in_reference,
        )


def pick_of(
    made: Made,
    *,
    policy: Policy,
    stream: Stream,
    purse: Purse,
    now: datetime,
    probability: float,
    reason: str,
    alert: Alert | None = None,
    in_reference: bool = False,
) -> Pick:
    """A pick of a prediction that has just come."""
    return Pick(
        project_id=made.project_id,
        prediction_id=made.prediction_id,
        model_version_id=made.model_version_id,
        input=Input(sha256=made.sha256, content=made.content, input_key=made.input_key, group_key=made.group_key),
        stream=stream,
        purse=purse,
        picked_at=now,
        probability=probability,
        reason=reason,
        predicted_label=made.predicted_label,
        confidence=made.confidence,
        predicted_at=made.predicted_at,
        project_revision=policy.revision,
        causes=(made.event_id, opened_event_id(alert.alert_id)) if alert else (made.event_id,),
        traceparent=made.traceparent,
        alert_id=alert.alert_id if alert else "",
        in_reference=in_reference,
    )
