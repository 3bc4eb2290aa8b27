"""Kafka in: one function per event type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from relearn.labeling.v1.events_pb2 import LabelAccepted, LabelTaskClosed
from relearn.registry.v1.events_pb2 import ModelVersionJudged, ModelVersionRegistered
from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.serving.v1.events_pb2 import PredictionMade, RouteChanged
from relearn_monitoring import alerting, metrics, wire
from relearn_monitoring.counting import Counting
from relearn_monitoring.domain.budget import Stream
from relearn_monitoring.domain.watches import Arm, Made, Role, Watch
from relearn_monitoring.fitted import FittedReferences
from relearn_monitoring.pairing import Pairing
from relearn_monitoring.picking import Auditor
from relearn_monitoring.store import Transaction
from relearn_runtime import Event, Now
from relearn_runtime.errors import NotYetKnown

RECENT = 20_000
"""Predictions of a project that are remembered, to know repetitions and to pair shadows with their champions."""

TRIM_EVERY = 200
"""Predictions of a gateway between two looks whether there are more than are kept."""


async def on_predictions(
    events: Sequence[Event[PredictionMade]],
    tx: Transaction,
    *,
    fitted: FittedReferences,
    now: Now,
) -> None:
    """Counts predictions, watches them, and picks those that are worth a human answer."""
    by_project = sorted(events, key=lambda event: event.message.project_id)
    for project_id, own in groupby(by_project, key=lambda event: event.message.project_id):
        await _on_predictions_of(project_id, list(own), tx, fitted=fitted, now=now)


async def _on_predictions_of(
    project_id: str, events: Sequence[Event[PredictionMade]], tx: Transaction, *, fitted: FittedReferences, now: Now
) -> None:
    policy = wire.policy(await tx.projects.get(project_id))
    received = [wire.made(event, classes=len(policy.classes)) for event in events]
    await fitted.prepare(tx, policy)
    at = now()
    monitored = await tx.monitored.lock(project_id, now=at)
    new = await tx.recent.add(received)
    await tx.monitored.number(new)
    evidence = [made for made in new if made.arm is not Arm.PINNED]
    _measure(tx, repeated=len(received) - len(new), pinned=len(new) - len(evidence), counted=len(evidence))
    monitored = monitored.counted(len(evidence), auditable=sum(made.auditable for made in evidence))
    await _know_early(tx, evidence, route_revision=monitored.route_revision)
    counting = Counting(tx=tx, policy=policy, monitored=monitored, fitted=fitted, now=at)
    in_reference: set[str] = set()
    for own in _by_version(evidence):
        in_reference |= await counting.count(own)
    pickable = [made for made in evidence if made.pickable]
    answered = [made for made in pickable if made.arm is not Arm.SHADOW]
    if answered:
        await tx.waiting.add(answered)
    auditor = Auditor(tx=tx, policy=policy, monitored=monitored, now=at)
    await auditor.audit(pickable, in_reference=in_reference)
    await Pairing(tx=tx, policy=policy, now=at).pair(evidence)
    if any(made.sequence % TRIM_EVERY == 0 for made in new):
        await tx.waiting.trim(project_id, keep=policy.waiting_inputs)
        await tx.recent.trim(project_id, keep=RECENT)
    await tx.monitored.save(monitored)


async def on_route_changed(event: Event[RouteChanged], tx: Transaction, *, now: Now) -> None:
    """Who serves now. A version that left takes its alert with it; one that is back has its saved reference."""
    route = event.message.route
    policy = wire.policy(await tx.projects.get(route.project_id))
    at = now()
    monitored = await tx.monitored.lock(route.project_id, now=at)
    if route.revision <= monitored.route_revision:
        return
    await tx.monitored.save(replace(monitored, route_revision=route.revision, shards=max(1, route.shards)))
    roles = {route.challenger_model_version_id: Role.CHALLENGER, route.champion_model_version_id: Role.CHAMPION}
    for watch in await tx.watches.of_project(route.project_id):
        if watch.live and watch.model_version_id not in roles:
            await _leave(tx, watch, event)
    for model_version_id, role in roles.items():
        if model_version_id:
            watch = await tx.watches.get(model_version_id, project_id=route.project_id)
            if not watch.live:
                await tx.detectors.reset(model_version_id)
            await tx.watches.save(watch := replace(watch, role=role))
            if role is Role.CHAMPION:
                await alerting.promoted(tx, watch, policy=policy)


async def on_model_version_registered(event: Event[ModelVersionRegistered], tx: Transaction, *, now: Now) -> None:
    """How good a version was on validation, and where its provisional reference lies."""
    version = event.message.model_version
    await tx.projects.get(version.project_id)
    await tx.monitored.lock(version.project_id, now=now())
    watch = await tx.watches.get(version.model_version_id, project_id=version.project_id)
    known = replace(watch, validated=wire.validated(version), provisional_key=wire.provisional_key(version))
    await tx.watches.save(known)


async def on_model_version_judged(event: Event[ModelVersionJudged], tx: Transaction, *, now: Now) -> None:
    """Gate step 2 could not decide: more disagreements are asked about."""
    judgement = event.message.judgement
    if judgement.step != 2 or judgement.verdict != Judgement.VERDICT_UNDECIDED:
        return
    project_id = event.message.project_id
    policy = wire.policy(await tx.projects.get(project_id))
    at = now()
    await tx.monitored.lock(project_id, now=at)
    comparison = await tx.comparisons.get(
        project_id, champion=judgement.champion_model_version_id, challenger=judgement.model_version_id
    )
    if comparison is None:
        raise NotYetKnown(f"no pair of {judgement.champion_model_version_id} and {judgement.model_version_id} yet")
    await Pairing(tx=tx, policy=policy, now=at).ask_more(comparison, looks=judgement.look, by=event.id)


async def on_label_accepted(event: Event[LabelAccepted], tx: Transaction, *, now: Now) -> None:
    """Its flags are settled: the model was right or wrong, and audits say so to alerts."""
    label = event.message.label
    said = next((region.label for region in label.regions if region.WhichOneof("part") == "whole"), None)
    flag_ids = [flag.flag_id for flag in event.message.flags]
    await _settle(event, tx, flag_ids, project_id=label.project_id, said=said, label_id=label.label_id, now=now)


async def on_label_task_closed(event: Event[LabelTaskClosed], tx: Transaction, *, now: Now) -> None:
    """People could not agree: its flags are settled without an outcome, and an alert may ask about another input."""
    flag_ids = [flag.flag_id for flag in event.message.flags]
    project_id = event.message.label_task.project_id
    await _settle(event, tx, flag_ids, project_id=project_id, said=None, label_id="", now=now)


async def _settle(
    event: Event[LabelAccepted] | Event[LabelTaskClosed],
    tx: Transaction,
    flag_ids: Sequence[str],
    *,
    project_id: str,
    said: str | None,
    label_id: str,
    now: Now,
) -> None:
    policy = wire.policy(await tx.projects.get(project_id))
    at = now()
    await tx.monitored.lock(project_id, now=at)
    revision = event.message.revision
    settled = [pick for pick in await tx.audits.flagged(flag_ids) if pick.settled_revision < revision]
    for pick in settled:
        correct = None if said is None else said == pick.predicted_label
        await tx.audits.settle(pick.flag_id, correct=correct, label_id=label_id, revision=revision)
    for model_version_id in sorted({pick.model_version_id for pick in settled if pick.stream is Stream.AUDIT}):
        watch = await tx.watches.get(model_version_id, project_id=project_id)
        await alerting.on_settled(tx, watch, policy=policy, cause=event.id, now=at)


async def _leave(tx: Transaction, watch: Watch, event: Event[RouteChanged]) -> None:
    watch = replace(watch, role=Role.NONE, windows_over=0)
    if not watch.reference_frozen:
        await tx.references.drop_parts(watch.reference_id)
        watch = replace(watch, collected=0)
    await tx.watches.save(watch)
    await tx.disagreements.forget(watch.model_version_id)
    alert = await tx.alerts.live(watch.model_version_id)
    if alert is not None:
        route_id = event.message.route.route_id
        why = f"its version left the route with {route_id}"
        await alerting.resolve(tx, alert, why=why, route_id=route_id, causes=(event.id,), now=event.time)


async def _know_early(tx: Transaction, made: Iterable[Made], *, route_revision: int) -> None:
    """Predictions may be here before the route that made them: then their arm says what their version is."""
    early = {one.model_version_id: one for one in made if one.route_revision > route_revision}
    for model_version_id, one in early.items():
        watch = await tx.watches.get(model_version_id, project_id=one.project_id)
        if not watch.live:
            role = Role.CHAMPION if one.arm is Arm.CHAMPION else Role.CHALLENGER
            await tx.watches.save(replace(watch, role=role))


def _measure(tx: Transaction, **outcomes: int) -> None:
    for outcome, predictions in outcomes.items():
        tx.after_commit(partial(metrics.PREDICTIONS.labels(outcome).inc, predictions))


def _by_version(made: Sequence[Made]) -> list[list[Made]]:
    """By version, each in order."""
    groups: dict[str, list[Made]] = {}
    for one in made:
        groups.setdefault(one.model_version_id, []).append(one)
    return [groups[version] for version in sorted(groups)]
