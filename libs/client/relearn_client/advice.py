"""The next step for an error: what a person can type or look at."""

from __future__ import annotations

from collections.abc import Mapping

_AGAIN = "then import again: nothing of this import was kept"
_BY_REASON = {
    # projects
    "PROJECT_NOT_FOUND": "apply it with `relearn project apply FILE`; `relearn project list` shows what there is",
    "INVALID_PROJECT": "correct the project file and apply it again",
    "LABEL_SET_FIXED": "make a new project for other samples, classes or regions: models are trained on these",
    "PROJECT_PAUSED": "`relearn project resume PROJECT --reason WHY` lets the loop run again",
    # label tasks
    "TASK_NOT_FOUND": "`relearn label next --project PROJECT` gives a task",
    "TASK_NOT_ASSIGNED": "take it first: `relearn label next --project PROJECT`",
    "LEASE_EXPIRED": "its time is over; take a task again: `relearn label next --project PROJECT`",
    "TASK_CLOSED": "others have answered it; `relearn label next --project PROJECT` gives the next one",
    "NO_SLOT": "others are answering it; `relearn label next --project PROJECT` gives another one",
    "ANSWERED_ALREADY": "it differs from the answer that was imported before; `relearn label export` has that one",
    "NOT_IN_LABEL_SET": "`relearn project show PROJECT` lists the classes",
    "LABEL_SET_CHANGED": "take the task again, it shows what to answer: `relearn label next --project PROJECT`",
    "INVALID_REGION": "correct the region that the message names; `relearn project show PROJECT` has the label set",
    "NO_REGION": "name one of the classes; `relearn project show PROJECT` lists them",
    "TOO_MANY_REGIONS": "name one class for the whole picture",
    "UNSUPPORTED_LABEL": "import the samples with --unlabeled, then their labels with `relearn label import`",
    "INVALID_REQUEST": "correct what the message names, then ask again",
    "INVALID_SKIP": "give the task back with a shorter comment, or with none",
    "ANSWERS_PER_ANNOTATOR": "you go on at midnight UTC; the cap is labeling.answers_per_annotator of the project",
    "ANSWERS_PER_DAY": "the queue goes on at midnight UTC; the cap is labeling.answers_per_day of the project",
    "REVIEW_NOT_ASSIGNED": "take it first: ask for the next review, then settle it",
    "TASK_MOVED_ON": "ask for the review again: it shows the answers there are now",
    "OWN_ANSWER": "somebody else reviews what you answered; ask for the next review",
    "INVALID_REVIEW": "accept with a label, or reject answers that the review shows",
    "NO_REASON": "say why in at most 1000 characters: --reason",
    "ANNOTATOR_NOT_FOUND": "`relearn annotators list` names the people who may label",
    # imports, samples, versions
    "EMPTY_IMPORT": "send at least one sample",
    "IMAGE_UNDECODABLE": f"remove or convert this picture (PNG or JPEG), {_AGAIN}",
    "IMAGE_TOO_LARGE": f"make this picture smaller, {_AGAIN}",
    "IMAGE_FORMAT_UNSUPPORTED": f"convert it to PNG or JPEG, {_AGAIN}",
    "IMAGE_ANIMATED": f"save one frame of it as PNG, {_AGAIN}",
    "SAMPLE_REFUSED": f"remove or convert this file, {_AGAIN}",
    "SAMPLE_TOO_LARGE": f"cut this file into shorter ones, {_AGAIN}",
    "OTHER_INPUT_KIND": "remove it, or import it into a project of its kind",
    "LABEL_CONFLICT": f"the same sample is in two classes of this import; keep it in one, {_AGAIN}",
    "IMPORT_INTERRUPTED": "import again: nothing of this import was kept",
    "IMPORT_INCOMPLETE": "import again: nothing of this import was kept",
    "FIRST_MESSAGE": "an import begins with its header: use `import_samples` of this client",
    "SAMPLE_NOT_FOUND": "a sample's id is PROJECT/sample/SHA256; `relearn label list --project PROJECT` shows some",
    "BLOB_DAMAGED": "the bytes in the object store are not those that were stored; restore them from a backup",
    "DATASET_VERSION_NOT_FOUND": "`relearn versions PROJECT` lists the versions",
    "DIFFERENT_PROJECTS": "compare two versions of one project; `relearn versions PROJECT` lists them",
    "PACK_NOT_READY": "it is being made; try again",
    # studies, models, routes
    "STUDY_NOT_FOUND": "`relearn studies PROJECT` lists the studies",
    "STUDY_RUNNING": "`relearn studies PROJECT` shows how far it is",
    "UNSUPPORTED": "labels of this project can be exported; for a model make a project of pictures with one class each",
    "TOO_FEW_LABELS": "`relearn why PROJECT` says how many labels are missing",
    "MODEL_VERSION_NOT_FOUND": "`relearn models PROJECT` lists the versions",
    "ALREADY_IN_CANARY": "`relearn why PROJECT` says what its canary waits for",
    "ALREADY_CHAMPION": "`relearn models PROJECT` shows what serves",
    "VERSION_BARRED": "a person rolled it back; train a better one",
    "ROUTE_NOT_FOUND": "nothing serves yet; `relearn why PROJECT` says what the first model waits for",
    "NOTHING_TO_ROLL_BACK_TO": "`relearn models PROJECT` shows what has served",
    # causes and parked events
    "ID_NOT_FOUND": "of predictions only the flagged ones are kept; `relearn label list` shows their tasks",
    "PARKED_EVENT_NOT_FOUND": "`relearn parked list` shows what there is",
    "STILL_FAILING": "`relearn parked show ID` has its bytes and the cause",
    "NO_HANDLER": "no handler takes such events any more; `relearn parked drop ID --reason WHY` gives it up",
    # every call
    "REASON_MISSING": "say why: --reason WHY",
    "REQUEST_ID_REUSED": "every new request needs a new request id",
    "INVALID_REQUEST_ID": "a request id is a UUID",
}
_BY_CODE = {
    "UNAVAILABLE": "is it running? `relearn status` shows it, `relearn up` starts it",
    "DEADLINE_EXCEEDED": "`relearn status` shows whether it runs; try again",
    "UNAUTHENTICATED": "set RELEARN_TOKEN; `relearn tokens add NAME --role ROLE` makes a token",
    "PERMISSION_DENIED": "use a token of another role; `relearn tokens add NAME --role ROLE` makes one",
    "ABORTED": "try again",
    "INTERNAL": "the log of the service has more; `relearn status` shows where it runs",
    "INVALID_ARGUMENT": "correct what the message names, then try again",
    "RESOURCE_EXHAUSTED": "send less at once, or try again later",
}


def next_step(*, code: str, reason: str, metadata: Mapping[str, str]) -> str:
    """What to do about an error, with the `project_id` of the metadata in it; empty where nobody knows."""
    step = _BY_REASON.get(reason) or _BY_CODE.get(code, "")
    project_id = metadata.get("project_id")
    return step.replace("PROJECT", project_id) if project_id else step
