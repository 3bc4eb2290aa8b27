"""Champion and shadow on the same inputs: pairs counted once, random disagreements picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from relearn_monitoring import metrics, wire
from relearn_monitoring.domain import budget, shadow
from relearn_monitoring.domain.budget import Purse, Stream
from relearn_monitoring.domain.picks import Against, Pick
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.sampling import draw
from relearn_monitoring.domain.shadow import Comparison
from relearn_monitoring.domain.watches import Arm, Made
from relearn_monitoring.picking import pay
from relearn_monitoring.store import Transaction
from relearn_monitoring.store.comparisons import Disagreement
from relearn_monitoring.store.inputs import Met, WaitingInput

_KEPT_PER_LOOK = 4  # disagreements kept for later looks, in looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Compares the versions of one project, in one transaction."""

    tx: Transaction
    policy: Policy
    now: datetime

    async def pair(self, made: Sequence[Made]) -> None:
        """Takes new predictions in; either side of a pair may have come first."""
        candidates = [one for one in made if one.arm in (Arm.CHAMPION, Arm.SHADOW)]
        met = await self.tx.recent.meet(self.policy.project_id, candidates) if candidates else []
        for champion, challenger in sorted({(pair.champion, pair.challenger) for pair in met}):
            own = [pair for pair in met if (pair.champion, pair.challenger) == (champion, challenger)]
            await self._compare(champion, challenger, own)

    async def ask_more(self, comparison: Comparison, *, looks: int) -> None:
        """The gate looked and could not decide."""
        after = shadow.wants_more(comparison, looks=looks, per_look=self.policy.disagreements_per_look)
        await self._go_on(comparison, after)

    async def flagged(self, champion: str, challenger: str) -> int:
        """One more disagreement was flagged; returns its number, in order of asking."""
        before = await self.tx.comparisons.get(self.policy.project_id, champion=champion, challenger=challenger)
        if before is None:
            raise LookupError(f"no comparison of {champion} and {challenger}")
        after = replace(before, asked=before.asked + 1)
        await self._say(before, after)
        return after.asked

    async def refused(self, champion: str, challenger: str) -> None:
        """One pick will not become a flag: another may take its place."""
        before = await self.tx.comparisons.get(self.policy.project_id, champion=champion, challenger=challenger)
        if before is not None:
            await self._go_on(before, replace(before, picked=before.picked - 1))

    async def _compare(self, champion: str, challenger: str, met: Sequence[Met]) -> None:
        before = await self.tx.comparisons.get(self.policy.project_id, champion=champion, challenger=challenger)
        if before is None:
            wanted = self.policy.disagreements_per_look
            before = Comparison(
                project_id=self.policy.project_id, champion=champion, challenger=challenger, wanted=wanted
            )
        differ = [pair for pair in met if pair.champion_label != pair.challenger_label]
        metrics.PAIRS.labels("different").inc(len(differ))
        metrics.PAIRS.labels("same").inc(len(met) - len(differ))
        inputs = await self.tx.waiting.named([pair.prediction_id for pair in differ])
        await self.tx.disagreements.add(
            [
                _disagreement(pair, inputs[pair.prediction_id], project_id=self.policy.project_id)
                for pair in differ
                if pair.prediction_id in inputs
            ]
        )
        await self._go_on(before, shadow.counted(before, pairs=len(met), disagreements=len(differ)))

    async def _go_on(self, before: Comparison, after: Comparison) -> None:
        """Picks what may be picked now, and tells what changed."""
        ledger = await self.tx.ledgers.get(self.policy.project_id, self.now.date())
        left = budget.left(ledger, self.policy, stream=Stream.DISAGREEMENT, purse=Purse.RESERVE)
        most = 0 if self.policy.paused else shadow.to_ask(after, self.policy, budget_left=left)
        if most:
            known = await self.tx.disagreements.waiting(after)
            taken = await self.tx.disagreements.take(after, most=most)
            picks = [self._pick(one, probability=len(taken) / known) for one in taken]
            added = await pay(self.tx, self.policy, picks, ledger=ledger)
            after = replace(after, picked=after.picked + len(added))
        await self.tx.disagreements.trim(after, keep=_KEPT_PER_LOOK * self.policy.disagreements_per_look)
        await self._say(before, after)

    async def _say(self, before: Comparison, after: Comparison) -> None:
        ledger = await self.tx.ledgers.get(self.policy.project_id, self.now.date())
        left = budget.left(ledger, self.policy, stream=Stream.DISAGREEMENT, purse=Purse.RESERVE)
        after = replace(after, stop_reason=shadow.stop_reason(after, self.policy, budget_left=left))
        if shadow.due(before, after):
            after = shadow.reported(after)
            await self.tx.outbox.add(wire.shadow_compared(after, now=self.now))
        await self.tx.comparisons.save(after)

    def _pick(self, disagreement: Disagreement, *, probability: float) -> Pick:
        said = f"{disagreement.predicted_label!r} against {disagreement.challenger_label!r}"
        return Pick(
            project_id=disagreement.project_id,
            prediction_id=disagreement.prediction_id,
            model_version_id=disagreement.champion,
            input=disagreement.input,
            stream=Stream.DISAGREEMENT,
            purse=Purse.RESERVE,
            day=self.now.date(),
            probability=probability,
            reason=f"champion and challenger differ: {said}",
            predicted_label=disagreement.predicted_label,
            confidence=disagreement.confidence,
            predicted_at=disagreement.predicted_at,
            project_revision=self.policy.revision,
            causes=disagreement.causes,
            traceparent=disagreement.traceparent,
            against=Against(
                challenger=disagreement.challenger,
                challenger_label=disagreement.challenger_label,
                challenger_prediction_id=disagreement.challenger_prediction_id,
            ),
        )


def _disagreement(met: Met, champion: WaitingInput, *, project_id: str) -> Disagreement:
    pair = f"{met.champion}\0{met.challenger}"
    return Disagreement(
        project_id=project_id,
        champion=met.champion,
        challenger=met.challenger,
        input=champion.input,
        priority=draw(f"disagreement\0{pair}", champion.input.sha256),
        prediction_id=met.prediction_id,
        predicted_label=met.champion_label,
        confidence=champion.confidence,
        challenger_prediction_id=met.challenger_prediction_id,
        challenger_label=met.challenger_label,
        predicted_at=champion.predicted_at,
        # the tap's events have the ids of their predictions
        causes=(champion.event_id, met.challenger_prediction_id),
        traceparent=champion.traceparent,
    )
