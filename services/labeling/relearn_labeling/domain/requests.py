"""What a request for a label does, where no prediction was flagged: by hand, from an import, drawn, asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from relearn_labeling.domain.errors import InvalidRequest
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.opening import joined, new_task
from relearn_labeling.domain.tasks import USUAL_ANSWER_S, LabelRequest, LabelTask, State

MOST_REQUESTS = 100
"""Of one task: its events carry them all."""


def request_label(
    task: LabelTask | None,
    request: LabelRequest,
    *,
    label_set_version: int,
    overlap: int,
    now: datetime,
    answer_s: float = USUAL_ANSWER_S,
) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task of the sample: a new one, or one more reason on the one there is.

    It reopens when it has fewer answers than wanted. Where it has enough, the label that stands is what was asked for:
    nothing is told again, as nobody waits for this request by its id. A request that the task has already changes
    nothing.

    Args:
        overlap: answers wanted, 1 or more.
        answer_s: what an answer takes in this project, in seconds.

    Raises:
        InvalidRequest: the sample belongs to another project, or the task has too many requests.
    """
    if not request.sample_id.startswith(f"{request.project_id}/sample/"):
        message = f"sample {request.sample_id!r} is none of project {request.project_id!r}"
        raise InvalidRequest(message, sample_id=request.sample_id)
    if task is None:
        created, fact = new_task(
            request, label_set_version=label_set_version, overlap=overlap, answer_s=answer_s, now=now
        )
        return created, (fact,)
    requests = task.requests
    if any(known.id == request.id for known in requests):
        return task, ()
    if len(requests) >= MOST_REQUESTS:
        raise InvalidRequest(f"label task {task.id} has {len(requests)} requests already", sample_id=request.sample_id)
    more, opened = joined(task, request, overlap=overlap, answer_s=answer_s, now=now)
    if more.state is not State.OPEN:
        more = replace(more, settled=len(more.reasons))
        opened = replace(opened, task=more)
    return more, (opened,)
