"""For whom the console answers, and what every answer carries."""

import socket

import pytest
from console_world import NEXT_TASK, running

POST = {"content-type": "application/json"}


def test_it_says_that_it_is_alive_to_whoever_asks(console):
    answer = console.get("/healthz", host="10.1.2.3:8080")

    assert (answer.status, answer.body) == (200, b"ok\n")


def test_a_name_that_was_pointed_here_is_not_answered(console):
    answer = console.call(NEXT_TASK, {}, host="evil.example")

    assert (answer.status, answer.json["details"][0]["debug"]["reason"]) == (421, "WRONG_HOST")
    assert "127.0.0.1, ::1, localhost" in answer.json["message"]


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("POST", NEXT_TASK), ("POST", "/session"), ("DELETE", "/session")])
def test_pages_of_others_may_change_nothing(console, console_tokens, method, path, said):
    console.sign_in(console_tokens.of("annotator"))

    answer = console.request(method, path, b"{}", **POST, **said)

    assert (answer.status, answer.json["code"]) == (403, "permission_denied")
    assert answer.json["details"][0]["debug"]["reason"] == "FOREIGN_ORIGIN"
    assert "access-control-allow-origin" not in answer.headers


def test_its_own_pages_may(console, console_tokens):
    own = {"origin": f"http://{console.address}", "sec-fetch-site": "same-origin"}

    answer = console.sign_in(console_tokens.of("annotator"), **own)

    assert answer.status == 200


def test_a_preflight_is_not_answered(console):
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}

    answer = console.request("OPTIONS", NEXT_TASK, **asking)

    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/session", NEXT_TASK, "/nothing.txt", "/healthz"])
def test_every_answer_says_that_nothing_foreign_runs_or_frames_it(console, path):
    answer = console.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_behind_its_public_name_it_answers_that_and_asks_for_https(tokens, tmp_path):
    with running(tokens, tmp_path, public_origin="https://labels.example.org") as browser:
        named = {"host": "labels.example.org", "origin": "https://labels.example.org"}

        answer = browser.sign_in(tokens.of("annotator"), **named)

    assert answer.status == 200
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * (1 << 20),
        b"GET /" + b"x" * (1 << 20),
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nhost: [\r\n\r\n",
    ],
    ids=[
        "long header",
        "long path",
        "many headers",
        "TLS",
        "two hosts",
        "two lengths",
        "bytes in the path",
        "bad host",
    ],
)
def test_what_is_no_http_ends_its_own_connection_alone(console, sent):
    host, _, port = console.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(sent)
            answered = connection.recv(1000)
        except ConnectionError:
            answered = b""

    assert answered == b"" or 400 <= int(answered.split()[1]) < 500
    assert console.get("/healthz").status == 200
