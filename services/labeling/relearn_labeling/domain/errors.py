"""What labeling refuses; callers branch on `reason`."""

from __future__ import annotations

from relearn_runtime.errors import BudgetExhausted, InvalidInput, NotFound, PermissionDenied, WrongState


class TaskNotFound(NotFound):
    """No label task has this id."""

    reason = "TASK_NOT_FOUND"


class TaskNotAssigned(WrongState):
    """The caller holds no lease of this task."""

    reason = "TASK_NOT_ASSIGNED"


class LeaseExpired(WrongState):
    """The caller's lease ran out; its slot went back."""

    reason = "LEASE_EXPIRED"


class TaskClosed(WrongState):
    """The task has all the answers it wants."""

    reason = "TASK_CLOSED"


class NoSlot(WrongState):
    """All slots of the task are answered or under lease, or the caller has answered it."""

    reason = "NO_SLOT"


class AnsweredAlready(WrongState):
    """An imported answer of somebody whose answer the task has."""

    reason = "ANSWERED_ALREADY"


class NotInLabelSet(InvalidInput):
    """A class that the project does not have."""

    reason = "NOT_IN_LABEL_SET"


class LabelSetChanged(WrongState):
    """An annotation in another label set than its task's."""

    reason = "LABEL_SET_CHANGED"


class NoRegion(InvalidInput):
    """An annotation that lacks the class of the whole sample, or a region that names no part."""

    reason = "NO_REGION"


class TooManyRegions(InvalidInput):
    """More than one class, where the whole sample gets one; or more regions than one annotation may have."""

    reason = "TOO_MANY_REGIONS"


class InvalidRegion(InvalidInput):
    """A region that can't be, or that the label set doesn't ask for; the metadata name it, the field and its value."""

    reason = "INVALID_REGION"


class InvalidFlag(InvalidInput):
    """A flag that can never become a task."""

    reason = "INVALID_FLAG"


class InvalidRequest(InvalidInput):
    """A request for a label that can never become a task."""

    reason = "INVALID_REQUEST"


class AnswersPerDay(BudgetExhausted):
    """The project's answers of this UTC day are given, or promised by leases."""

    reason = "ANSWERS_PER_DAY"


class AnswersPerAnnotator(BudgetExhausted):
    """The annotator's own answers of this UTC day are given, or promised by leases."""

    reason = "ANSWERS_PER_ANNOTATOR"


class InvalidSkip(InvalidInput):
    """A reason for giving a task back that can't be kept."""

    reason = "INVALID_SKIP"


class SampleNotFound(InvalidInput):
    """An imported record of a sample that is none of the project's."""

    reason = "SAMPLE_NOT_FOUND"


class ReviewNotAssigned(WrongState):
    """The caller has no review of this task in hand."""

    reason = "REVIEW_NOT_ASSIGNED"


class TaskMovedOn(WrongState):
    """The task is open again, or has other answers than the reviewer saw."""

    reason = "TASK_MOVED_ON"


class OwnAnswer(PermissionDenied):
    """A reviewer would judge an answer of their own."""

    reason = "OWN_ANSWER"


class InvalidReview(InvalidInput):
    """A review that says nothing, or judges answers that the task doesn't have."""

    reason = "INVALID_REVIEW"


class NoReason(InvalidInput):
    """Answers are taken back without a reason, or with one that is too long."""

    reason = "NO_REASON"


class AnnotatorNotFound(NotFound):
    """Nobody of this name has worked on the project."""

    reason = "ANNOTATOR_NOT_FOUND"
