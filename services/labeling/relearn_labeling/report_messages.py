"""A report's sums to protobuf; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_labeling import region_messages, wire
from relearn_labeling.domain.regions import LabelSet
from relearn_labeling.domain.truth.alpha import Alpha, Tally, nominal_alpha, region_alpha
from relearn_labeling.domain.truth.units import has_one_class

Row = Any

_PAIRS_OF_A_BUCKET = 100


def alphas_of_classes(tallies: Sequence[Row], *, iou: float) -> tuple[Alpha, dict[datetime, float]]:
    """Alpha of single classes, over all tasks and of each bucket, from `Reports.tallies`; `iou` decides nothing."""
    sums: defaultdict[datetime, dict[str, Tally]] = defaultdict(dict)
    samples = {row.start_time: row.tasks for row in tallies if row.class_name is None}
    votes: defaultdict[str, list[Tally]] = defaultdict(list)
    for row in tallies:
        if row.class_name is not None:
            tally = Tally(votes=row.votes, apart=row.apart)
            sums[row.start_time][row.class_name] = tally
            votes[row.class_name].append(tally)
    total = {
        name: Tally(votes=sum(tally.votes for tally in parts), apart=sum(tally.apart for tally in parts))
        for name, parts in votes.items()
    }
    each = {at: nominal_alpha(parts, samples=samples[at]).overall for at, parts in sums.items()}
    return nominal_alpha(total, samples=sum(samples.values())), _told(each)


def alphas_of_regions(answers: Sequence[Row], *, iou: float) -> tuple[Alpha, dict[datetime, float]]:
    """The same of answers made of regions, from `Reports.newest_pairs`. Takes seconds: not for the event loop."""
    tasks = [list(rows) for _, rows in groupby(answers, key=lambda row: row.label_task_id)]
    units = [[region_messages.of_content(row.regions) for row in rows] for rows in tasks]
    within: defaultdict[datetime, list[Sequence[Any]]] = defaultdict(list)
    for rows, unit in zip(tasks, units, strict=True):
        within[rows[0].start_time].append(unit)
    each = {at: region_alpha(some, iou=iou, most_pairs=_PAIRS_OF_A_BUCKET).overall for at, some in within.items()}
    return region_alpha(units, iou=iou), _told(each)


def classes(rows: Sequence[Row], alpha: Alpha, *, label_set: LabelSet) -> list[pb.ClassAgreement]:
    """One for each class of the label set, in its order."""
    known = {row.class_name: row for row in rows}
    messages = []
    for name in label_set.classes:
        row = known.get(name)
        message = pb.ClassAgreement(label=name, alpha=alpha.classes.get(name))
        if row is not None:
            message.answers, message.suggestions_accepted = row.answers, row.accepted
            message.suggestions_edited = row.edited
        messages.append(message)
    return messages


def buckets(rows: Sequence[Row], alphas: Mapping[datetime, float], *, length: timedelta) -> list[pb.ReportBucket]:
    """The stretches in which anything happened."""
    return [
        pb.ReportBucket(
            start_time=wire.timestamp(row.start_time),
            length=wire.duration(length),
            answers=row.answers,
            labels=row.labels,
            alpha=alphas.get(row.start_time),
        )
        for row in rows
    ]


def annotators(
    rows: Sequence[Row], compared: Sequence[Row], gold: Sequence[Row], *, label_set: LabelSet
) -> list[pb.AnnotatorReport]:
    """One for each annotator who answered, by name."""
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in compared:
        of[row.annotator].append(row)
    right = {row.annotator: (row.answers, row.right_answers) for row in gold}
    return [
        pb.AnnotatorReport(
            annotator=row.annotator,
            answers=row.answers,
            median_time=wire.duration(row.median_time),
            gold_answers=right.get(row.annotator, (0, 0))[0],
            gold_right=right.get(row.annotator, (0, 0))[1],
            compared=sum(one.answers for one in of[row.annotator]),
            agreed=sum(one.answers for one in of[row.annotator] if one.agreed),
            skipped=row.skipped,
            rejected=row.rejected,
            confusion=_confusion(of[row.annotator], label_set) if has_one_class(label_set) else [],
            last_seen_time=None if row.seen_at is None else wire.timestamp(row.seen_at),
        )
        for row in rows
    ]


def _confusion(rows: Iterable[Row], label_set: LabelSet) -> list[pb.ConfusionRow]:
    places = {name: place for place, name in enumerate(label_set.classes)}
    cells = [[0] * len(places) for _ in places]
    for row in rows:
        if row.label in places and row.said in places:
            cells[places[row.label]][places[row.said]] += row.answers
    return [pb.ConfusionRow(label=name, answers=cells[place]) for name, place in places.items()]


def _told(alphas: Mapping[datetime, float | None]) -> dict[datetime, float]:
    return {at: alpha for at, alpha in alphas.items() if alpha is not None}
