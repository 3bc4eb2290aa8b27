"""What labeling refuses; callers branch on `reason`."""

from __future__ import annotations

from relearn_runtime.errors import BudgetExhausted, InvalidInput, NotFound, WrongState


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


class NotInLabelSet(InvalidInput):
    """A class that the project does not have."""

    reason = "NOT_IN_LABEL_SET"


class NoRegion(InvalidInput):
    """An annotation that names no part of the sample."""

    reason = "NO_REGION"


class TooManyRegions(InvalidInput):
    """More than one region, where the whole sample gets one class."""

    reason = "TOO_MANY_REGIONS"


class InvalidFlag(InvalidInput):
    """A flag that can never become a task."""

    reason = "INVALID_FLAG"


class AnswersPerDay(BudgetExhausted):
    """The project's answers of this UTC day are given, or promised by leases."""

    reason = "ANSWERS_PER_DAY"
