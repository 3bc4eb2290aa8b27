"""Signing in and out."""

import json

import pytest
from console_world import LIST_PROJECTS, Browser, running


async def test_a_person_signs_in_with_their_token_is_known_and_signs_out(console, tokens):
    signed_in = await console.sign_in(tokens.of("annotator"))
    known = await console.get("/session")
    signed_out = await console.request("DELETE", "/session")
    forgotten = await console.get("/session")

    assert signed_in.json == known.json == {"subject": "test-annotator", "role": "annotator"}
    assert (signed_out.status, forgotten.status) == (204, 401)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_does_not_show_the_token(console, tokens):
    answer = await console.sign_in(tokens.of("annotator"))

    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= {part.strip() for part in cookie.split(";")}
    assert tokens.of("annotator") not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_a_program_may_ask_with_its_token(console, tokens):
    answer = await console.get("/session", authorization=f"Bearer {tokens.of('engineer')}")

    assert answer.json == {"subject": "test-engineer", "role": "engineer"}
    assert "set-cookie" not in answer.headers


async def test_a_wrong_token_is_refused_in_words(console):
    answer = await console.sign_in("x" * 43)

    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert answer.json["message"].startswith("nobody has this token")
    assert "set-cookie" not in answer.headers


async def test_who_tries_too_often_has_to_wait_and_is_told_how_long(console, tokens):
    for _ in range(10):
        await console.sign_in("wrong")

    answer = await console.sign_in(tokens.of("annotator"))

    assert answer.status == 429
    info = answer.json["details"][0]["debug"]
    assert info["reason"] == "TOO_MANY_ATTEMPTS"
    assert 0 < int(info["metadata"]["retry_after_s"]) <= 60


async def test_a_token_that_is_removed_ends_its_sessions(console, tokens):
    await console.sign_in(tokens.of("annotator"))
    tokens.path.write_text(json.dumps({"tokens": []}))

    answer = await console.get("/session")

    assert answer.status == 401


async def test_a_session_that_is_asked_for_lasts_on(console, tokens):
    await console.sign_in(tokens.of("annotator"))
    first = console.cookie

    await console.get("/session")

    assert console.cookie != first


async def test_a_forged_cookie_is_nobodys(console, tokens):
    await console.sign_in(tokens.of("annotator"))
    name, _, sealed = console.cookie.partition("=")

    answer = await console.get("/session", cookie=f"{name}={sealed[:-4]}AAAA")

    assert answer.status == 401


async def test_processes_that_share_their_secret_share_sessions(tokens, tmp_path):
    secret = "s" * 64
    async with running(tokens, tmp_path, secret=secret) as one, running(tokens, tmp_path, secret=secret) as other:
        await one.sign_in(tokens.of("annotator"))

        answer = await Browser(other.address, cookie=one.cookie).get("/session")

    assert answer.status == 200


async def test_a_session_of_another_secret_is_none(tokens, tmp_path):
    async with running(tokens, tmp_path) as one, running(tokens, tmp_path) as other:
        await one.sign_in(tokens.of("annotator"))

        answer = await Browser(other.address, cookie=one.cookie).get("/session")

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
    ids=str,
)
async def test_what_is_no_token_is_refused(console, body, kind, status):
    answer = await console.request("POST", "/session", body, **{"content-type": kind})

    assert answer.status == status
    assert answer.json["message"]


async def test_without_a_session_a_call_is_not_passed_on(console):
    answer = await console.call(LIST_PROJECTS, {})

    assert (answer.status, answer.json["message"]) == (
        401,
        "sign in first: this call came without a session or a token",
    )
