"""What the services refuse comes to people with a next step."""

import ast
from pathlib import Path

from relearn_client.advice import next_step

ROOT = Path(__file__).resolve().parents[2]
# Of inference, whose clients are not ours; of events and files, which only services meet; of browsers; caught before
# they leave.
NEVER_SEEN_BY_THE_COMMAND = {
    *("UNKNOWN_MODEL", "UNKNOWN_VERSION", "UNKNOWN_INPUT", "UNKNOWN_OUTPUT", "MODEL_NAME_MISSING", "NO_CHAMPION"),
    *("WRONG_SHAPE", "WRONG_DATATYPE", "NOT_FINITE", "BAD_CONTENTS", "EMPTY_BATCH", "BATCH_TOO_LARGE", "INPUT_MISSING"),
    *("UNSUPPORTED_PARAMETER", "INFERENCE_FAILED", "OVERLOADED", "BAD_MODEL", "SPOOL_IN_USE", "REQUEST_TOO_LARGE"),
    *("INVALID_FLAG", "INVALID_DISAGREEMENT", "MALFORMED_EVENT", "MALFORMED_REQUEST", "EVENT_TOO_LARGE"),
    *("WINNER_INCOMPLETE", "VALIDATION_UNREADABLE", "RUN_HAS_OUTCOME", "FILE_MISSING", "FILE_DIFFERS", "LEASE_LOST"),
    *("DAMAGED_OBJECT", "HANDLER_TOO_SLOW", "NOT_READY", "NOT_YET_KNOWN"),
    *("UNKNOWN_METHOD", "WRONG_CONTENT_TYPE", "NOT_A_MESSAGE", "WRONG_HOST", "FOREIGN_ORIGIN", "TOO_MANY_ATTEMPTS"),
    *("RENDER_TIMED_OUT", "RENDER_OUT_OF_MEMORY", "RENDER_TOO_LARGE", "RENDER_CRASHED"),
    *("SERVICE_AWAY", "LINK_FORGED", "LINK_ENDED", "MEDIA_NOT_SHOWN", "MEDIA_BEING_MADE", "BYTES_MISSING"),
}
# Said by code where nothing finer is known.
BY_CODE = {
    "INVALID_INPUT": "INVALID_ARGUMENT",
    "TOO_LARGE": "INVALID_ARGUMENT",
    "UNAUTHENTICATED": "UNAUTHENTICATED",
    "PERMISSION_DENIED": "PERMISSION_DENIED",
    "STALE_WRITE": "ABORTED",
    "DEPENDENCY_UNAVAILABLE": "UNAVAILABLE",
    "SHUTTING_DOWN": "UNAVAILABLE",
    "BUDGET_EXHAUSTED": "RESOURCE_EXHAUSTED",
    "CALL_TOO_LONG": "DEADLINE_EXCEEDED",
    "INTERNAL": "INTERNAL",
}
BASES = {"NOT_FOUND", "WRONG_STATE"}  # never raised themselves


def reasons() -> set[str]:
    """The `reason` of every error class of services and libraries."""
    found = set()
    for path in [*ROOT.glob("services/*/relearn_*/**/*.py"), *ROOT.glob("libs/*/relearn_*/**/*.py")]:
        if path.is_relative_to(ROOT / "libs" / "client"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            for part in node.body if isinstance(node, ast.ClassDef) else ():
                is_reason = isinstance(part, ast.Assign | ast.AnnAssign) and "reason" in ast.unparse(part).split("=")[0]
                if is_reason and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str):
                    found.add(part.value.value)
    return {reason for reason in found if reason and reason.isupper()}


def test_every_reason_that_a_command_can_meet_has_a_next_step():
    met = reasons() - NEVER_SEEN_BY_THE_COMMAND - BASES

    silent = {one for one in met if not next_step(code=BY_CODE.get(one, ""), reason=one, metadata={})}

    assert silent == set()


def test_the_lists_of_this_test_name_only_reasons_there_are():
    assert (NEVER_SEEN_BY_THE_COMMAND | set(BY_CODE) | BASES) - reasons() == set()
