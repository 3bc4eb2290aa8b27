"""PutSample: one sample, and why its label is wanted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from relearn.datasets.v1.datasets_service_pb2 import PutSampleRequest
from relearn_datasets import wire
from relearn_datasets.content import Inspector
from relearn_datasets.domain.imports import check_name
from relearn_datasets.domain.samples import Content, Draw, Sample, Use, sample_id
from relearn_datasets.domain.settling import draw_after_flag
from relearn_datasets.domain.uses import bucket, use_of
from relearn_datasets.store import Transaction
from relearn_datasets.store.samples import NewSample
from relearn_datasets.wire import ProjectPolicy
from relearn_media import Modality
from relearn_runtime.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A sample to be put, its request parsed."""

    content: Content
    group_key: str
    draw: Draw | None
    origin: str


async def parse(request: PutSampleRequest, inspector: Inspector, *, modality: Modality) -> Put:
    """What a request puts, its bytes looked at.

    Raises:
        InvalidInput: no acceptable sample of this modality, or what is said about it can't be kept.
    """
    if not request.origin.strip():
        raise InvalidInput("origin is required: where the sample came from, such as prediction:<id>")
    content = await asyncio.to_thread(inspector.inspect, request.content, modality)
    return Put(
        content=content,
        group_key=check_name(request.group_key, what="group_key") or sample_id(request.project_id, content.sha256),
        draw=wire.put_draw(request),
        origin=check_name(request.origin, what="origin"),
    )


async def put_sample(tx: Transaction, project: ProjectPolicy, put: Put, *, now: datetime) -> tuple[Sample, bool]:
    """The sample as it is now, and whether it is new.

    A new one takes two statements: between a prediction and its audit lies one such call.
    """
    new = NewSample(content=put.content, group_key=put.group_key, label=None, draw=put.draw)
    if not await tx.samples.add(project.project_id, [new], origin=put.origin, now=now):
        return await _put_again(tx, project, put), False
    use = _use_of(project, put.group_key, put.draw) if put.draw else None
    uses = await tx.groups.decide(project.project_id, {put.group_key: use})
    sample = Sample(
        project_id=project.project_id,
        content=put.content,
        group_key=put.group_key,
        use=uses[put.group_key],
        draw=put.draw,
        origin=put.origin,
        label=None,
        created_at=now,
    )
    return sample, True


async def _put_again(tx: Transaction, project: ProjectPolicy, put: Put) -> Sample:
    """A sample that is there already keeps its group and the first reason its label was wanted for."""
    project_id, sha256 = project.project_id, put.content.sha256
    if put.draw is not None:
        current = (await tx.samples.lock(project_id, [sha256]))[sha256]
        draw = draw_after_flag(current, put.draw)
        if current.draw is None:
            await tx.samples.set_draw(project_id, sha256, draw)
        await tx.groups.decide(project_id, {current.group_key: _use_of(project, current.group_key, draw)})
    return await tx.samples.get(project_id, sha256)


def _use_of(project: ProjectPolicy, group_key: str, draw: Draw) -> Use:
    return use_of(draw, bucket=bucket(project.project_id, group_key), shares=project.shares)
