"""Errors as statuses, and back."""

from __future__ import annotations

from urllib.parse import quote

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2

from relearn_runtime import errors
from relearn_runtime.rpc_errors import DETAILS, TooLarge, error_of, status_of

CODES = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.NotYetKnown: grpc.StatusCode.FAILED_PRECONDITION,
    errors.WrongState: grpc.StatusCode.FAILED_PRECONDITION,
    errors.StaleWrite: grpc.StatusCode.ABORTED,
    errors.DependencyUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.BudgetExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class TaskNotAssigned(errors.WrongState):
    reason = "TASK_NOT_ASSIGNED"


def raised(error: Exception) -> grpc.aio.AioRpcError:
    status = status_of(error, service="labeling")
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    trailing = grpc.aio.Metadata((DETAILS, status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details=status.message)


def test_every_class_has_its_code():
    assert set(CODES) == set(errors.RelearnError.__subclasses__()) & set(CODES)
    for kind, code in CODES.items():
        assert raised(kind("x")).code() is code


def test_reason_domain_and_metadata_travel():
    status = status_of(TaskNotAssigned("not yours", label_task_id="t1"), service="labeling")

    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "TASK_NOT_ASSIGNED",
        "labeling.relearn",
        {"label_task_id": "t1"},
    )


@pytest.mark.parametrize("kind", [k for k in CODES if k is not errors.NotYetKnown])
def test_a_caller_gets_the_class_the_other_side_raised(kind):
    error = error_of(raised(kind("why", key="value")), service="labeling")

    assert type(error) is kind
    assert (error.reason, error.metadata) == (kind.reason, {"key": "value"})
    assert "why" in error.message


def test_a_bug_tells_nothing_and_a_lost_database_says_try_again():
    assert raised(ZeroDivisionError("secret")).code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (raised(ZeroDivisionError("secret")).details() or "")
    assert raised(asyncpg.CannotConnectNowError("x")).code() is grpc.StatusCode.UNAVAILABLE
    assert raised(asyncpg.DeadlockDetectedError("x")).code() is grpc.StatusCode.ABORTED
    assert raised(asyncpg.QueryCanceledError("statement timeout")).code() is grpc.StatusCode.ABORTED


def test_a_text_that_can_not_be_stored_is_the_callers_mistake():
    assert raised(asyncpg.CharacterNotInRepertoireError("x")).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised(asyncpg.UntranslatableCharacterError("x")).code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("letter", ["x", "ü", "語"])
def test_an_error_always_fits_into_the_trailers(letter):
    problems = {f"classes[{i}]": letter * 100 for i in range(1000)}

    error = raised(errors.InvalidInput("; ".join(problems.values()), **problems))

    status = dict(error.trailing_metadata() or ())[DETAILS]
    assert len(quote(error.details() or "")) + len(status) * 4 / 3 < 8_000
    told = error_of(error, service="registry")
    assert isinstance(told, errors.InvalidInput)
    assert told.metadata["classes[0]"] == letter * 100
    assert int(told.metadata["left_out"]) == 1000 - (len(told.metadata) - 1)
    assert told.message.endswith("…")


def test_a_message_that_grpc_finds_too_large_is_no_exhausted_budget():
    bare = grpc.aio.AioRpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), details="larger than max"
    )

    error = error_of(bare, service="datasets")

    assert (type(error), error.reason) == (TooLarge, "TOO_LARGE")


def test_a_status_without_details_is_still_translated():
    bare = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details="gone")

    error = error_of(bare, service="datasets")

    assert isinstance(error, errors.DependencyUnavailable)
    assert error.message == "datasets: gone"
