"""Labels in and out by the thousand: ImportAnnotations, ExportAnnotations."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import grpc

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import exchange_messages as messages
from relearn_labeling import metrics, publish, region_messages, wire
from relearn_labeling.domain.errors import InvalidRequest
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.imports import GivenAnswer, import_sample
from relearn_labeling.domain.tasks import LabelRequest, Source
from relearn_labeling.store import Transaction
from relearn_labeling.store.exchange import Place
from relearn_runtime import NewId, Now, Store, caller, paging
from relearn_runtime.errors import InvalidInput, StaleWrite, WrongState

_REQUESTS = UUID("2b2f3c52-5a0f-5c5e-8f3f-1a6c9d0f7b11")  # namespace of the requests of imports; never changes
_ATTEMPTS: Final = 5
_AT_ONCE: Final = 2  # messages of one import: the server has a core, and the database another
_TURN: Final = 4  # records after which others get a turn: an import is nothing that an annotator waits for
_PAGE: Final = 500
_MESSAGE_BYTES: Final = 1 * 2**20
_MOST_SOURCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Import:
    """What an import is, told by its first message.

    Attributes:
        request_id: of the request that it is for each of its samples, however often it is sent.
    """

    project_id: str
    source: str
    person: str
    request_id: str

    def request(self, sample_id: str, now: datetime) -> LabelRequest:
        """Why the import wants a label."""
        return LabelRequest(
            id=self.request_id,
            project_id=self.project_id,
            sample_id=sample_id,
            source=Source.IMPORT,
            reason=f"imported from {self.source}" if self.source else "imported",
            value=None,
            person=self.person,
            created_at=now,
        )


class Exchange:
    """Streams, a transaction for each message: what was acknowledged is kept, what wasn't can be sent again."""

    def __init__(self, *, store: Store[Transaction], new_id: NewId, now: Now) -> None:
        self._store, self._new_id, self._now = store, new_id, now

    async def ImportAnnotations(
        self,
        requests: AsyncIterator[pb.ImportAnnotationsRequest],
        context: grpc.aio.ServicerContext[pb.ImportAnnotationsRequest, pb.ImportAnnotationsResponse],
    ) -> AsyncIterator[pb.ImportAnnotationsResponse]:
        """One message is parsed and decided while another waits for the database; answers keep their order."""
        known: _Import | None = None
        under_way: deque[asyncio.Task[pb.ImportAnnotationsResponse]] = deque()
        try:
            async for request in requests:
                known = known or _import_of(request, person=caller(context).subject)
                if len(request.samples) > messages.MOST_RECORDS:
                    raise InvalidRequest(f"a message has at most {messages.MOST_RECORDS} records")
                under_way.append(asyncio.create_task(self._take(known, request.samples)))
                if len(under_way) == _AT_ONCE:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:  # where one failed or the caller left, nobody waits for the other
            for one in under_way:
                one.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def ExportAnnotations(
        self,
        request: pb.ExportAnnotationsRequest,
        context: grpc.aio.ServicerContext[pb.ExportAnnotationsRequest, pb.ExportAnnotationsResponse],
    ) -> AsyncIterator[pb.ExportAnnotationsResponse]:
        """Page by page, each in a transaction of its own: however slow the reader, nothing is held up meanwhile."""
        project_id, finished_only = request.project_id, request.finished_only
        async with self._store.transaction() as tx:
            await tx.projects.require(project_id)
            horizon = await tx.exchange.horizon()
            listed = f"export of {project_id} in {horizon.cluster}"
            place = _place(request.after, listed)
            total = await tx.exchange.count(project_id, after=place, finished_only=finished_only)
        while True:
            async with self._store.transaction() as tx:
                horizon = await tx.exchange.horizon()
                tasks, answers = await tx.exchange.page(
                    project_id, after=place, finished_only=finished_only, size=_PAGE
                )
            if not tasks:
                break
            told: list[pb.ExportedTask] = []
            for number, task in enumerate(tasks):
                if number % _TURN == 0:
                    await asyncio.sleep(0)
                told.append(messages.exported(task, answers.get(task["label_task_id"], ())))
            come = 0
            for one in _messages(told):
                come += len(one)
                last = tasks[come - 1]
                place = Place(transaction=last["changed"], label_task_id=last["label_task_id"])
                cursor = _cursor(listed, place, horizon.place)
                yield pb.ExportAnnotationsResponse(tasks=one, total=total, cursor=cursor)
        yield pb.ExportAnnotationsResponse(total=total, cursor=_cursor(listed, horizon.place, horizon.place))

    async def _take(self, known: _Import, records: Sequence[pb.AnnotatedSample]) -> pb.ImportAnnotationsResponse:
        """All of a message, or nothing of it; again where another transaction was faster."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self._store.transaction() as tx:
                    response, facts = await self._import(tx, known, records)
            except StaleWrite:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                metrics.count(facts)
                return response
        raise AssertionError("an attempt returns or raises")

    async def _import(
        self, tx: Transaction, known: _Import, records: Sequence[pb.AnnotatedSample]
    ) -> tuple[pb.ImportAnnotationsResponse, list[Fact]]:
        response = pb.ImportAnnotationsResponse()
        project = await tx.projects.require(known.project_id)
        there = await tx.exchange.known(known.project_id, [record.key for record in records])
        answers: dict[str, GivenAnswer | None] = {}  # by key; each key once
        fresh: list[pb.AnnotatedSample] = []
        label_set = region_messages.label_set(project.label_set)
        for number, record in enumerate(records):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            if record.key in there:
                response.repeated_records += 1
                continue
            try:
                messages.check_record(record, project_id=known.project_id)
                answers[record.key] = (
                    messages.given_answer(record.answer, label_set=label_set, source=known.source, id=self._new_id())
                    if record.HasField("answer")
                    else None
                )
            except InvalidInput as error:
                response.refused.append(messages.refused(record, error))
                continue
            there.add(record.key)
            fresh.append(record)
        facts = await self._apply(tx, known, project, fresh, answers, response)
        response.taken = len(records) - len(response.refused)
        return response, facts

    async def _apply(
        self,
        tx: Transaction,
        known: _Import,
        project: Project,
        records: Sequence[pb.AnnotatedSample],
        answers: dict[str, GivenAnswer | None],
        response: pb.ImportAnnotationsResponse,
    ) -> list[Fact]:
        """Brings records to the tasks of their samples; one that a task refuses is told."""
        label_set, policy = region_messages.label_set(project.label_set), wire.policy(project)
        tasks = await tx.label_tasks.of_samples([one.sample_id for one in records], label_set.version)
        before, answer_s = dict(tasks), await tx.days.answer_s(known.project_id)
        facts: list[Fact] = []
        kept: list[str] = []
        for number, record in enumerate(records):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            answer, now = answers[record.key], self._now()
            try:
                tasks[record.sample_id], told = import_sample(
                    tasks.get(record.sample_id),
                    known.request(record.sample_id, now),
                    [answer] if answer else [],
                    label_set=label_set,
                    policy=policy,
                    label_id=self._new_id(),
                    now=now,
                    answer_s=answer_s,
                )
            except (InvalidInput, WrongState) as error:
                response.refused.append(messages.refused(record, error))
                continue
            facts += told
            kept.append(record.key)
        await tx.exchange.keep(known.project_id, kept)
        new = [task for sample_id, task in tasks.items() if sample_id not in before]
        await tx.exchange.add(sorted(new, key=lambda task: task.id))  # in one order, so that nobody waits in a circle
        for sample_id, task in before.items():
            if tasks[sample_id] is not task:
                await tx.label_tasks.save(tasks[sample_id])
        await publish.tell_many(tx, facts, new_id=self._new_id)
        return facts


def _import_of(request: pb.ImportAnnotationsRequest, *, person: str) -> _Import:
    if not request.project_id:
        raise InvalidRequest("the first message of an import names its project")
    project_id, source = request.project_id, request.source[:_MOST_SOURCE]
    request_id = str(uuid5(_REQUESTS, f"{project_id}\n{source}"))
    return _Import(project_id=project_id, source=source, person=person, request_id=request_id)


def _place(after: str, listed: str) -> Place:
    found = paging.place(after, listed, int, str)
    return Place() if found is None else Place(transaction=found[0], label_task_id=found[1])


def _cursor(listed: str, place: Place, horizon: Place) -> str:
    """Where a later export goes on: what changes in transactions that are under way is before no cursor."""
    reached = min(place, horizon)
    return paging.token(listed, reached.transaction, reached.label_task_id)


def _messages(tasks: Iterable[pb.ExportedTask]) -> list[list[pb.ExportedTask]]:
    """Tasks in messages of a bearable size."""
    found: list[list[pb.ExportedTask]] = [[]]
    size = 0
    for task in tasks:
        length = task.ByteSize()
        if found[-1] and size + length > _MESSAGE_BYTES:
            found.append([])
            size = 0
        found[-1].append(task)
        size += length
    return found
