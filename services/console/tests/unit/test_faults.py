"""Errors in the words of the Connect protocol."""

import base64

import grpc
import pytest
from google.rpc import error_details_pb2

from relearn_console import faults
from relearn_runtime.errors import WrongState
from relearn_runtime.rpc_errors import DETAILS, status_of


class LeaseExpired(WrongState):
    reason = "LEASE_EXPIRED"


def rpc_error(code: grpc.StatusCode, details: str, *trailing: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details=details)


def test_a_service_s_reason_and_metadata_reach_the_page_readable_and_as_the_protocol_wants_them():
    error = LeaseExpired("your lease ended", label_task_id="t1")
    status = status_of(error, service="labeling").SerializeToString()

    told = faults.of_rpc(
        rpc_error(grpc.StatusCode.FAILED_PRECONDITION, "your lease ended", (DETAILS, status)), service="labeling"
    ).as_json()

    assert (told["code"], told["message"]) == ("failed_precondition", "your lease ended")
    (detail,) = told["details"]
    info = {"reason": "LEASE_EXPIRED", "domain": "labeling.relearn", "metadata": {"label_task_id": "t1"}}
    assert (detail["type"], detail["debug"]) == ("google.rpc.ErrorInfo", info)
    packed = base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4))
    assert error_details_pb2.ErrorInfo.FromString(packed).metadata["label_task_id"] == "t1"


@pytest.mark.parametrize(
    ("code", "reason", "http_status"),
    [
        (grpc.StatusCode.UNAVAILABLE, "SERVICE_AWAY", 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "CALL_TOO_LONG", 503),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE", 400),
    ],
)
def test_what_grpc_itself_says_is_said_of_the_service_in_words(code, reason, http_status):
    told = faults.of_rpc(rpc_error(code, "failed to connect to all addresses; last error ..."), service="labeling")

    assert (told.http_status, told.details[0]["debug"]["reason"]) == (http_status, reason)
    assert "labeling" in told.message
    assert "addresses" not in told.message


def test_every_code_has_a_name_and_a_status():
    codes = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]

    told = {code: faults.of_rpc(rpc_error(code, "x"), service="s") for code in codes}

    assert {fault.code for fault in told.values()} >= {"canceled", "internal", "unimplemented", "aborted", "data_loss"}
    assert all(400 <= fault.http_status < 600 for fault in told.values())


def test_a_bug_shows_nothing_but_its_trace():
    told = faults.of_error(KeyError("secret detail"))

    assert told.http_status == 500
    assert "secret" not in told.encoded().decode()
