"""Reviews from and to protobuf; pure."""

from __future__ import annotations

from datetime import datetime

from relearn.labeling.v1 import review_service_pb2 as pb
from relearn.registry.v1 import project_pb2
from relearn_labeling import region_messages, wire
from relearn_labeling.domain.errors import InvalidReview
from relearn_labeling.domain.reviews import Rejection, Review, Verdict, agreement
from relearn_labeling.domain.tasks import LabelTask


def review(request: pb.ReviewTaskRequest, *, reviewer: str) -> Review:
    """What a reviewer says. What is too much for any label is refused before it is looked at.

    Raises:
        InvalidReview: it says nothing.
        TooManyRegions, InvalidRegion, NoRegion: as for an answer.
    """
    verdict: Verdict | Rejection
    match request.WhichOneof("verdict"):
        case "accept":
            wire.check_size(request.accept)
            regions = region_messages.regions(request.accept.regions)
            verdict = Verdict(regions=regions, annotation_id=request.accept.annotation_id)
        case "reject":
            verdict = Rejection(annotation_ids=tuple(request.reject.annotation_ids), reason=request.reject.reason)
        case _:
            raise InvalidReview("a review accepts or rejects", label_task_id=request.label_task_id)
    return Review(reviewer=reviewer, annotation_ids=frozenset(request.annotation_ids), verdict=verdict)


def in_hand(task: LabelTask, *, until: datetime, label_set: project_pb2.LabelSet, iou: float) -> pb.NextReviewResponse:
    """A task as its reviewer sees it."""
    return pb.NextReviewResponse(
        label_task=wire.label_task(task),
        annotations=[wire.annotation(annotation, task=task) for annotation in task.annotations],
        label=None if task.label is None else wire.label(task.label, task=task),
        agreement=agreement(task.annotations, iou=iou),
        lease_expire_time=wire.timestamp(until),
        label_set=label_set,
    )
