"""Champion and shadow on the same inputs: pairs counted once, random disagreements picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from relearn_monitoring import metrics, wire
from relearn_monitoring.domain import budget, shadow
from relearn_monitoring.domain.budget import Purse, Stream
from relearn_monitoring.domain.picks import Against, Pick, derived_id, numbered
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.sampling import draw
from relearn_monitoring.domain.shadow import Comparison
from relearn_monitoring.domain.watches import Arm, Made, Role
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

    async def ask_more(self, comparison: Comparison, *, looks: int, by: str) -> None:
        """The gate looked and could not decide, as this event told."""
        after = shadow.wants_more(comparison, looks=looks, per_look=self.policy.disagreements_per_look, by=by)
        await self._go_on(comparison, after, causes=(by,))

    async def flagged(self, picks: Sequence[Pick]) -> list[Pick]:
        """Disagreements become flags: each gets its number, in the order of asking."""
        asked: list[Pick] = []
        for (champion, challenger), own in _by_pair(picks).items():
            before = await self._comparison(champion, challenger)
            asked += [numbered(pick, number) for number, pick in enumerate(own, start=before.asked + 1)]
            after = replace(before, asked=before.asked + len(own))
            await self._say(before, after, causes=[own[-1].flagged_event_id])
        return asked

    async def refused(self, picks: Sequence[Pick]) -> None:
        """Disagreements that will not become flags: others may take their places."""
        for (champion, challenger), own in _by_pair(picks).items():
            before = await self._comparison(champion, challenger)
            await self._go_on(before, replace(before, picked=before.picked - len(own)), causes=own[-1].causes)

    async def _comparison(self, champion: str, challenger: str) -> Comparison:
        found = await self.tx.comparisons.get(self.policy.project_id, champion=champion, challenger=challenger)
        wanted = self.policy.disagreements_per_look
        return found or Comparison(
            project_id=self.policy.project_id, champion=champion, challenger=challenger, wanted=wanted
        )

    async def _compare(self, champion: str, challenger: str, met: Sequence[Met]) -> None:
        before = await self._comparison(champion, challenger)
        differ = [pair for pair in met if pair.champion_label != pair.challenger_label]
        self.tx.after_commit(partial(metrics.PAIRS.labels("different").inc, len(differ)))
        self.tx.after_commit(partial(metrics.PAIRS.labels("same").inc, len(met) - len(differ)))
        watch = await self.tx.watches.get(challenger, project_id=self.policy.project_id)
        if differ and watch.role is Role.CHALLENGER:  # else the pairs come late, and nobody waits for labels of them
            inputs = await self.tx.waiting.named([pair.prediction_id for pair in differ])
            await self.tx.disagreements.add(
                [
                    _disagreement(pair, inputs[pair.prediction_id], project_id=self.policy.project_id)
                    for pair in differ
                    if pair.prediction_id in inputs
                ]
            )
        after = shadow.counted(before, pairs=len(met), disagreements=len(differ))
        after = shadow.as_the_gate_counts(after, per_look=self.policy.disagreements_per_look)
        # the tap's events have the ids of their predictions
        await self._go_on(before, after, causes=(met[-1].prediction_id, met[-1].challenger_prediction_id))

    async def _go_on(self, before: Comparison, after: Comparison, *, causes: Sequence[str]) -> None:
        """Picks what may be picked now, and tells what changed."""
        ledger = await self.tx.ledgers.get(self.policy.project_id, self.now.date())
        left = budget.left(ledger, self.policy, stream=Stream.DISAGREEMENT, purse=Purse.RESERVE)
        most = 0 if self.policy.paused else shadow.to_ask(after, self.policy, budget_left=left)
        if most:
            taken, probability = await self.tx.disagreements.take(after, most=most)
            picks = [self._pick(one, probability=probability, wanted_by=after.wanted_by) for one in taken]
            added = await pay(self.tx, self.policy, picks, ledger=ledger)
            after = replace(after, picked=after.picked + len(added))
        await self.tx.disagreements.trim(after, keep=_KEPT_PER_LOOK * self.policy.disagreements_per_look)
        await self._say(before, after, causes=causes)

    async def _say(self, before: Comparison, after: Comparison, *, causes: Sequence[str]) -> None:
        ledger = await self.tx.ledgers.get(self.policy.project_id, self.now.date())
        left = budget.left(ledger, self.policy, stream=Stream.DISAGREEMENT, purse=Purse.RESERVE)
        after = replace(after, stop_reason=shadow.stop_reason(after, self.policy, budget_left=left))
        if shadow.due(before, after):
            after = shadow.reported(after)
            event_id = derived_id(after.project_id, after.champion, after.challenger, "compared", str(after.revision))
            await self.tx.outbox.add(wire.shadow_compared(after, now=self.now), causes=causes, ids=[event_id])
        await self.tx.comparisons.save(after)

    def _pick(self, disagreement: Disagreement, *, probability: float, wanted_by: str) -> Pick:
        said = f"{disagreement.predicted_label!r} against {disagreement.challenger_label!r}"
        return Pick(
            project_id=disagreement.project_id,
            prediction_id=disagreement.prediction_id,
            model_version_id=disagreement.champion,
            input=disagreement.input,
            stream=Stream.DISAGREEMENT,
            purse=Purse.RESERVE,
            picked_at=self.now,
            probability=probability,
            reason=f"champion and challenger differ: {said}",
            predicted_label=disagreement.predicted_label,
            confidence=disagreement.confidence,
            predicted_at=disagreement.predicted_at,
            project_revision=self.policy.revision,
            causes=(*disagreement.causes, *([wanted_by] if wanted_by else [])),
            traceparent=disagreement.traceparent,
            against=Against(
                challenger=disagreement.challenger,
                challenger_label=disagreement.challenger_label,
                challenger_prediction_id=disagreement.challenger_prediction_id,
            ),
        )


def _by_pair(picks: Sequence[Pick]) -> dict[tuple[str, str], list[Pick]]:
    """Disagreements by champion and challenger, each in order."""
    pairs: dict[tuple[str, str], list[Pick]] = {}
    for pick in picks:
        if pick.against is not None:
            pairs.setdefault((pick.model_version_id, pick.against.challenger), []).append(pick)
    return pairs


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
