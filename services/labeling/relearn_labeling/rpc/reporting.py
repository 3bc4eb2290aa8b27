"""What label managers read: how the queue and the people do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import grpc

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_labeling import region_messages, report_messages, wire
from relearn_labeling.domain.budgets import utc_day
from relearn_labeling.domain.regions import LabelSet
from relearn_labeling.domain.reports import MOST_TASKS, begins, bucket_length
from relearn_labeling.domain.truth.units import has_one_class
from relearn_labeling.store import Transaction
from relearn_labeling.store.reports import Row, Stretch
from relearn_runtime import Now, Store


class Reporting:
    """Reads only; nothing is locked. What takes more than adding up is done beside the event loop."""

    def __init__(self, *, store: Store[Transaction], now: Now) -> None:
        self._store, self._now = store, now

    async def GetLabelingReport(
        self,
        request: pb.GetLabelingReportRequest,
        context: grpc.aio.ServicerContext[pb.GetLabelingReportRequest, pb.GetLabelingReportResponse],
    ) -> pb.GetLabelingReportResponse:
        now = self._now()
        since = begins(_time(request), now)
        async with self._store.transaction() as tx:
            project = await tx.projects.require(request.project_id)
            policy, label_set = wire.policy(project), region_messages.label_set(project.label_set)
            of = Stretch(
                project_id=project.project_id,
                label_set_version=label_set.version,
                since=since,
                length=bucket_length(since, now),
            )
            tasks, today = await tx.reports.tasks(of), await tx.days.answers_on(of.project_id, utc_day(now))
            buckets, annotators = await tx.reports.buckets(of), await tx.reports.annotators(of)
            classes, compared = await tx.reports.classes(of), await tx.reports.compared(of)
            gold, said = await tx.reports.gold(of), await _said(tx, of, label_set)
        alphas = report_messages.alphas_of_classes if has_one_class(label_set) else report_messages.alphas_of_regions
        alpha, alpha_of = await asyncio.to_thread(alphas, said, iou=policy.iou)
        return pb.GetLabelingReportResponse(
            open_tasks=tasks.open_tasks,
            oldest=None if tasks.oldest is None else wire.duration(now - tasks.oldest),
            disputed_tasks=tasks.disputed_tasks,
            labels=sum(bucket.labels for bucket in buckets),
            answers=sum(bucket.answers for bucket in buckets),
            time_spent=wire.duration(sum((one.time_spent or timedelta() for one in annotators), timedelta())),
            answers_today=today,
            answers_per_day=policy.answers_per_day,
            alpha=alpha.overall,
            classes=report_messages.classes(classes, alpha, label_set=label_set),
            buckets=report_messages.buckets(buckets, alpha_of, length=of.length),
            annotators=report_messages.annotators(annotators, compared, gold, label_set=label_set),
        )


async def _said(tx: Transaction, of: Stretch, label_set: LabelSet) -> Sequence[Row]:
    """What agreement is told from: counts of all tasks where each has one class, else regions of the newest ones."""
    if has_one_class(label_set):
        return await tx.reports.tallies(of)
    return await tx.reports.newest_pairs(of, most=MOST_TASKS)


def _time(request: pb.GetLabelingReportRequest) -> datetime | None:
    return request.since.ToDatetime(tzinfo=UTC) if request.HasField("since") else None
