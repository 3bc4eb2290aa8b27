"""What is known of annotators is learned from their answers, beside the work: nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import region_messages, wire
from relearn_labeling.domain.crowds import NEWEST_ANSWERS, is_due, learn
from relearn_labeling.domain.regions import LabelSet
from relearn_labeling.domain.tasks import LabelTask, Policy, Truth
from relearn_labeling.domain.truth.skills import Crowd, Unit
from relearn_labeling.domain.truth.units import units_of, values_of
from relearn_labeling.store import Transaction
from relearn_labeling.store.crowds import Learned
from relearn_runtime import Now, Store

_Answers = Sequence[tuple[str, str, bytes]]


async def refresh_crowds(store: Store[Transaction], *, now: Now) -> None:
    """Learns the crowds of projects whose labels rest on posteriors, where there is something new.

    A project that fails keeps no other one waiting.
    """
    async with store.transaction() as tx:
        projects = await tx.projects.all()
    failures: list[Exception] = []
    for project in projects:
        try:
            await _refresh(store, project, now=now)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("crowds could not be learned", failures)


async def crowd_for(tx: Transaction, policy: Policy, task: LabelTask, *more: str) -> Crowd | None:
    """What is known of those who answered a task, and of `more`; None where nothing is, or where labels are counted."""
    if policy.truth is Truth.MAJORITY:
        return None
    annotators = {annotation.annotator for annotation in task.annotations} | set(more)
    return await tx.crowds.get(task.project_id, task.label_set_version, annotators=annotators)


async def _refresh(store: Store[Transaction], project: Project, *, now: Now) -> None:
    policy, at = wire.policy(project), now()
    if policy.truth is Truth.MAJORITY:
        return
    label_set = region_messages.label_set(project.label_set)
    async with store.transaction() as tx:
        answers = await tx.crowds.answers(project.project_id)
        last = await tx.crowds.learned(project.project_id, label_set.version)
        known = last is not None and last.truth is policy.truth
        if last and known and not is_due(answers=answers, learned_from=last.answers, age=at - last.at):
            return
        given = await tx.crowds.newest_answers(project.project_id, label_set.version, limit=NEWEST_ANSWERS)
        given = [*given, *await tx.crowds.gold_answers(project.project_id, label_set.version, limit=NEWEST_ANSWERS)]
        gold = await tx.crowds.gold(project.project_id, label_set.version)
        before = await tx.crowds.get(project.project_id, label_set.version) if known else None
    crowd = await asyncio.to_thread(_learn, given, gold, label_set=label_set, policy=policy, before=before)
    learned = Learned(truth=policy.truth, answers=answers, at=at)
    async with store.transaction() as tx:
        await tx.crowds.save(project.project_id, label_set.version, crowd, learned=learned)


def _learn(
    given: _Answers, gold: Mapping[str, bytes], *, label_set: LabelSet, policy: Policy, before: Crowd | None
) -> Crowd:
    units = _units(given, gold, label_set=label_set, iou=policy.iou)
    return learn(units, values=values_of(label_set), truth=policy.truth, before=before)


def _units(given: _Answers, gold: Mapping[str, bytes], *, label_set: LabelSet, iou: float) -> Iterator[Unit]:
    for label_task_id, rows in groupby(sorted(given), key=lambda row: row[0]):
        answers = [(annotator, region_messages.of_content(regions)) for _, annotator, regions in rows]
        right = gold.get(label_task_id)
        yield from units_of(
            [annotator for annotator, _ in answers],
            [regions for _, regions in answers],
            gold=None if right is None else region_messages.of_content(right),
            label_set=label_set,
            iou=iou,
        )
