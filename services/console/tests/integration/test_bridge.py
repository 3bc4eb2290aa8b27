"""The bridge alone: what it refuses, what it makes of streams, and what rubbish does to it."""

import asyncio
import http.client
import json
import struct
import threading

import grpc
import pytest
from console_world import LIST_PROJECTS, NEXT_TASK, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relearn.labeling.v1 import labeling_service_pb2, management_service_pb2
from relearn.labeling.v1.labeling_service_pb2_grpc import (
    LabelingServiceServicer,
    add_LabelingServiceServicer_to_server,
)
from relearn.labeling.v1.management_service_pb2_grpc import (
    ManagementServiceServicer,
    add_ManagementServiceServicer_to_server,
)
from relearn_console.exposed import methods

EXPORT = "/relearn.labeling.v1.ManagementService/ExportAnnotations"
JSON = {"content-type": "application/json"}


class Labeling(LabelingServiceServicer):
    """Says what it was told."""

    def __init__(self) -> None:
        self.seen = []

    def NextTask(self, request, context):  # noqa: N802 - the RPC's name
        self.seen.append((request, dict(context.invocation_metadata()), context.time_remaining()))
        return labeling_service_pb2.NextTaskResponse()


class Management(ManagementServiceServicer):
    """Streams as long as the project's name says."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def ExportAnnotations(self, request, context):  # noqa: N802 - the RPC's name
        context.add_callback(self.ended.set)
        if request.project_id == "endless":
            while context.is_active():
                yield management_service_pb2.ExportAnnotationsResponse(total=1)
                threading.Event().wait(0.01)
            return
        for number in range(3):
            yield management_service_pb2.ExportAnnotationsResponse(cursor=str(number), total=3)
        if request.project_id == "broken":
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


@pytest.fixture(scope="module")
def backend():
    """A labeling of a few lines, so that a test decides what it answers."""
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(8))
    labeling, management = Labeling(), Management()
    add_LabelingServiceServicer_to_server(labeling, server)
    add_ManagementServiceServicer_to_server(management, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", labeling, management
    server.stop(0).wait()


@pytest.fixture(scope="module")
def front(backend, console_tokens, console_folder):
    given = {"labeling_address": backend[0], "max_request_bytes": 64 << 10}
    with running(console_tokens, console_folder, **given) as browser:
        browser.sign_in(console_tokens.of("manager"))
        yield browser


def reason(answer) -> str:
    return answer.json["details"][0]["debug"]["reason"]


def test_a_call_arrives_as_its_message_with_the_caller_s_token_and_a_deadline(front, backend, console_tokens):
    answer = front.call(NEXT_TASK, {"projectId": "shop", "labelTaskIds": ["a"]}, connect_timeout_ms="1500")

    request, metadata, left_s = backend[1].seen[-1]
    assert answer.status == 200
    assert (request.project_id, list(request.label_task_ids)) == ("shop", ["a"])
    assert metadata["authorization"] == f"Bearer {console_tokens.of('manager')}"
    assert metadata["traceparent"]
    assert 0 < left_s <= 1.5


def test_defaults_are_written_out(front):
    answer = front.call(NEXT_TASK, {"projectId": "shop"})

    assert answer.headers["content-type"] == "application/json"
    assert {name for name, value in answer.json.items() if value in ("", 0, [], False)}


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        (NEXT_TASK, "text/plain", 415),
        (NEXT_TASK, "application/x-www-form-urlencoded", 415),
        (NEXT_TASK, "multipart/form-data; boundary=x", 415),
        (NEXT_TASK, "application/connect+json", 415),
        (NEXT_TASK, "application/json; charset=utf-16", 415),
        (NEXT_TASK, "", 415),
        (EXPORT, "application/json", 415),
        ("/relearn.labeling.v1.LabelingService/Nothing", "application/json", 404),
        ("/relearn.registry.v1.RegistryService/ApplyProject", "application/json", 404),
        ("/relearn.labeling.v1.ManagementService/ImportAnnotations", "application/connect+json", 404),
        ("/relearn.datasets.v1.DatasetsService/PutSample", "application/json", 404),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "application/json", 404),
    ],
)
def test_what_is_no_call_is_not_passed_on(front, backend, path, kind, status):
    before = len(backend[1].seen)

    answer = front.request("POST", path, b"{}", **{"content-type": kind})

    assert answer.status == status
    assert answer.json["message"]
    assert len(backend[1].seen) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_a_method_is_called_by_post_alone(front, method):
    assert front.request(method, NEXT_TASK).status == 405


@pytest.mark.parametrize("header", ["content-encoding", "connect-content-encoding"])
def test_a_compressed_body_is_refused(front, header):
    assert front.call(NEXT_TASK, {}, **{header: "gzip"}).status == 415


def test_a_body_that_is_too_large_is_refused_before_it_is_read(front):
    answer = front.call(NEXT_TASK, b" " * ((64 << 10) + 1))

    assert (answer.status, reason(answer)) == (413, "TOO_LARGE")


def test_a_body_without_a_length_that_grows_too_large_is_refused(front):
    host, _, port = front.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)

    connection.request(
        "POST", NEXT_TASK, iter([b" " * 40_000] * 2), {**JSON, "cookie": front.cookie}, encode_chunked=True
    )
    answer = connection.getresponse()

    assert answer.status == 413
    connection.close()


@pytest.mark.parametrize("said", ["soon", "-1", "1.5", "1" * 11])
def test_a_deadline_that_is_none_is_refused(front, said):
    assert front.call(NEXT_TASK, {}, connect_timeout_ms=said).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'{"projectId": 7}',
        b'{"unknown": 1}',
        b'{"projectId": "a", "projectId": "b"}',
        b"[" * 10_000,
        b'{"a":' * 5_000,
        b"\xff\xfe",
        b'{"projectId": "\\ud800"}',
        b"9" * 5_000,
        b'{"projectId": NaN}',
        b'{"labelTaskIds": "\\ud800"}',
    ],
    ids=range(14),
)
def test_a_body_that_is_no_message_is_refused_in_words(front, body):
    answer = front.call(NEXT_TASK, body)

    assert (answer.status, reason(answer)) == (400, "NOT_A_MESSAGE")
    assert "NextTaskRequest" in answer.json["message"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(sorted(methods())),
    body=st.binary(max_size=300)
    | st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(
        lambda value: json.dumps(value).encode()
    ),
    framed=st.booleans(),
)
def test_rubbish_is_the_caller_s_fault_or_harmless(front, path, body, framed):
    kind = "application/connect+json" if methods()[path].streams else "application/json"
    sent = struct.pack(">BI", 0, len(body)) + body if framed else body

    answer = front.request("POST", path, sent, **{"content-type": kind})

    assert answer.status in (200, 400, 415, 501, 503), answer.body  # 501, 503: of methods that this backend lacks


def test_nobody_s_body_is_not_even_read(front, backend):
    answer = front.call(NEXT_TASK, b"[" * 50_000, cookie="", authorization="Bearer ")

    assert (answer.status, reason(answer)) == (401, "UNAUTHENTICATED")


def test_a_stream_is_answered_message_by_message_and_says_that_it_ended(front):
    answer = front.stream(EXPORT, {"projectId": "shop"})

    assert (answer.status, answer.headers["content-type"]) == (200, "application/connect+json")
    assert [(flags, message.get("cursor")) for flags, message in answer.frames] == [
        (0, "0"),
        (0, "1"),
        (0, "2"),
        (2, None),
    ]
    assert answer.frames[0][1]["total"] == "3"  # int64 is text in JSON
    assert answer.frames[-1][1] == {}


def test_a_stream_that_breaks_says_so_at_its_end(front):
    answer = front.stream(EXPORT, {"projectId": "broken"})

    flags, end = answer.frames[-1]
    assert (len(answer.frames), flags) == (4, 2)
    assert (end["error"]["code"], end["error"]["details"][0]["debug"]["reason"]) == ("unavailable", "SERVICE_AWAY")


@pytest.mark.parametrize(
    "body",
    [b"", b"\0\0", struct.pack(">BI", 0, 9) + b"{}", struct.pack(">BI", 2, 2) + b"{}", struct.pack(">BI", 0, 2**31)],
)
def test_a_stream_s_request_has_one_message_of_the_length_it_says(front, body):
    answer = front.request("POST", EXPORT, body, **{"content-type": "application/connect+json"})

    assert (answer.status, reason(answer)) == (400, "NOT_A_MESSAGE")


def test_a_page_that_goes_away_ends_the_stream_at_the_service(front, backend):
    host, _, port = front.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    backend[2].ended.clear()
    message = b'{"projectId": "endless"}'
    headers = {"content-type": "application/connect+json", "cookie": front.cookie}

    connection.request("POST", EXPORT, struct.pack(">BI", 0, len(message)) + message, headers)
    connection.getresponse().read(100)
    connection.close()

    assert backend[2].ended.wait(10)


def test_a_stream_ends_at_its_deadline(front):
    answer = front.stream(EXPORT, {"projectId": "endless"}, connect_timeout_ms="200")

    _, end = answer.frames[-1]
    assert end["error"]["details"][0]["debug"]["reason"] == "CALL_TOO_LONG"


def test_services_that_are_away_are_named(front):
    answer = front.call(LIST_PROJECTS, {})

    assert (answer.status, reason(answer)) == (503, "SERVICE_AWAY")
    assert answer.json["details"][0]["debug"]["metadata"] == {"service": "registry"}


def test_a_stop_lets_a_call_end_and_ends_streams(backend, console_tokens, console_folder):
    frames = []

    with running(console_tokens, console_folder, labeling_address=backend[0], drain_timeout_s=1) as browser:
        browser.sign_in(console_tokens.of("manager"))
        backend[2].ended.clear()
        streaming = threading.Thread(target=lambda: _drained(browser, frames))
        streaming.start()
        assert _until(lambda: frames)

    streaming.join(10)
    assert not streaming.is_alive()
    assert backend[2].ended.wait(10)


def _drained(browser, frames) -> None:
    host, _, port = browser.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    message = b'{"projectId": "endless"}'
    headers = {"content-type": "application/connect+json", "cookie": browser.cookie}
    connection.request("POST", EXPORT, struct.pack(">BI", 0, len(message)) + message, headers)
    response = connection.getresponse()
    try:
        while part := response.read1(1000):
            frames.append(part)
    except (http.client.IncompleteRead, ConnectionError):
        pass
    connection.close()


def _until(holds) -> bool:
    async def wait() -> bool:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.01)
        return True

    return asyncio.run(wait())
