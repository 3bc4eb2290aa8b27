"""The next step for an error: what a person can type or look at."""

from __future__ import annotations

from collections.abc import Mapping

_BY_REASON = {
    "PROJECT_NOT_FOUND": "apply it with `relearn project apply FILE`; `relearn project list` shows what there is",
    "INVALID_PROJECT": "correct the project file and apply it again",
    "LABEL_SET_FIXED": "the classes of a project never change: make a new project for other classes",
    "TASK_NOT_FOUND": "`relearn label next --project PROJECT` gives a task",
    "TASK_NOT_ASSIGNED": "take it first: `relearn label next --project PROJECT`",
    "LEASE_EXPIRED": "its time is over; take a task again: `relearn label next --project PROJECT`",
    "TASK_CLOSED": "others have answered it; `relearn label next --project PROJECT` gives the next one",
    "NOT_IN_LABEL_SET": "`relearn project show PROJECT` lists the classes",
    "ANSWERS_PER_DAY": "the queue goes on at midnight UTC; the cap is labeling.answers_per_day of the project",
    "STUDY_RUNNING": "`relearn studies PROJECT` shows how far it is",
    "TOO_FEW_LABELS": "`relearn why PROJECT` says how many labels are missing",
    "PROJECT_PAUSED": "`relearn project resume PROJECT --reason WHY` lets the loop run again",
    "ALREADY_CHAMPION": "`relearn models PROJECT` shows what serves",
    "VERSION_BARRED": "a person rolled it back; train a better one",
    "NOTHING_TO_ROLL_BACK_TO": "`relearn models PROJECT` shows what has served",
    "STILL_FAILING": "`relearn parked show ID` has its bytes and the cause",
    "REQUEST_ID_REUSED": "every new request needs a new request id",
    "IMAGE_UNDECODABLE": "remove or convert this picture (PNG or JPEG), then import again: what is there is skipped",
    "IMAGE_TOO_LARGE": "make this picture smaller, then import again: what is there is skipped",
    "IMAGE_FORMAT_UNSUPPORTED": "convert it to PNG or JPEG, then import again: what is there is skipped",
    "LABEL_CONFLICT": "the same picture is in two classes of this import; keep it in one",
}
_BY_CODE = {
    "UNAVAILABLE": "is it running? `relearn status` shows it, `relearn up` starts it",
    "DEADLINE_EXCEEDED": "`relearn status` shows whether it runs; try again",
    "UNAUTHENTICATED": "set RELEARN_TOKEN; `relearn tokens add NAME --role ROLE` makes a token",
    "PERMISSION_DENIED": "use a token of another role; `relearn tokens add NAME --role ROLE` makes one",
    "ABORTED": "try again",
    "INTERNAL": "the log of the service has more; `relearn status` shows where it runs",
}


def next_step(*, code: str, reason: str, metadata: Mapping[str, str]) -> str:
    """What to do about an error; empty where nobody knows."""
    step = _BY_REASON.get(reason) or _BY_CODE.get(code, "")
    project_id = metadata.get("project_id")
    return step.replace("PROJECT", project_id) if project_id else step
