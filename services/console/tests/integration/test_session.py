"""Signing in and out."""

import json

import pytest
from console_world import LIST_PROJECTS, Browser, running


def test_a_person_signs_in_with_their_token_is_known_and_signs_out(console, console_tokens):
    signed_in = console.sign_in(console_tokens.of("annotator"))
    known = console.get("/session")
    signed_out = console.request("DELETE", "/session")
    forgotten = console.get("/session")

    assert signed_in.json == known.json == {"subject": "test-annotator", "role": "annotator"}
    assert (signed_out.status, forgotten.status) == (204, 401)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_does_not_show_the_token(console, console_tokens):
    answer = console.sign_in(console_tokens.of("annotator"))

    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= {part.strip() for part in cookie.split(";")}
    assert console_tokens.of("annotator") not in cookie
    assert answer.headers["cache-control"] == "no-store"


def test_a_program_may_ask_with_its_token(console, console_tokens):
    answer = console.get("/session", authorization=f"Bearer {console_tokens.of('engineer')}")

    assert answer.json == {"subject": "test-engineer", "role": "engineer"}
    assert "set-cookie" not in answer.headers


def test_a_wrong_token_is_refused_in_words(console):
    answer = console.sign_in("x" * 43)

    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert answer.json["message"].startswith("nobody has this token")
    assert "set-cookie" not in answer.headers


def test_who_tries_too_often_has_to_wait_and_is_told_how_long(own_console, tokens):
    for _ in range(10):
        own_console.sign_in("wrong")

    answer = own_console.sign_in(tokens.of("annotator"))

    assert answer.status == 429
    info = answer.json["details"][0]["debug"]
    assert info["reason"] == "TOO_MANY_ATTEMPTS"
    assert 0 < int(info["metadata"]["retry_after_s"]) <= 60
    assert answer.headers["retry-after"] == info["metadata"]["retry_after_s"]


def test_a_token_that_is_removed_ends_its_sessions(console, console_tokens):
    console.sign_in(console_tokens.add(subject="ada", role="annotator"))
    kept = [one for one in json.loads(console_tokens.path.read_text())["tokens"] if one["subject"] != "ada"]
    console_tokens.path.write_text(json.dumps({"tokens": kept}))

    answer = console.get("/session")

    assert answer.status == 401


def test_a_session_that_is_asked_for_lasts_on(console, console_tokens):
    console.sign_in(console_tokens.of("annotator"))
    first = console.cookie

    console.get("/session")

    assert console.cookie != first


def test_a_forged_cookie_is_nobodys(console, console_tokens):
    console.sign_in(console_tokens.of("annotator"))
    name, _, sealed = console.cookie.partition("=")

    answer = console.get("/session", cookie=f"{name}={sealed[:-4]}AAAA")

    assert answer.status == 401


def test_processes_that_share_their_secret_share_sessions(tokens, tmp_path):
    secret = "s" * 64
    with running(tokens, tmp_path, secret=secret) as one, running(tokens, tmp_path, secret=secret) as other:
        one.sign_in(tokens.of("annotator"))

        answer = Browser(other.address, cookie=one.cookie).get("/session")

    assert answer.status == 200


def test_a_session_of_another_secret_is_none(tokens, tmp_path):
    with running(tokens, tmp_path) as one, running(tokens, tmp_path) as other:
        one.sign_in(tokens.of("annotator"))

        answer = Browser(other.address, cookie=one.cookie).get("/session")

    assert answer.status == 401


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"token=abc", "application/x-www-form-urlencoded", 415),
        (b'{"token": "abc"}', "text/plain", 415),
        (b"", "application/json", 400),
        (b"[" * 4000, "application/json", 400),
        (b'{"token": 7}', "application/json", 400),
        (b'{"token": "\\n"}', "application/json", 400),
        (b'{"token": "' + b"x" * 4096 + b'"}', "application/json", 413),
    ],
    ids=["form", "text", "nothing", "deep", "number", "newline", "long"],
)
def test_what_is_no_token_is_refused(console, body, kind, status):
    answer = console.request("POST", "/session", body, **{"content-type": kind})

    assert answer.status == status
    assert answer.json["message"]


def test_without_a_session_a_call_is_not_passed_on(console):
    answer = console.call(LIST_PROJECTS, {})

    assert (answer.status, answer.json["message"]) == (
        401,
        "sign in first: this call came without a session or a token",
    )
