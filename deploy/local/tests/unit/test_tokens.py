import json
from hashlib import sha256

import pytest

from relearn_local import local, tokens
from relearn_local.stack import Home


def test_the_file_knows_the_hash_the_subject_and_the_role_but_not_the_token(tmp_path):
    path = tmp_path / "tokens.json"

    token = tokens.add(path, subject="ada", role="annotator")

    assert json.loads(path.read_text()) == {
        "tokens": [{"sha256": sha256(token.encode()).hexdigest(), "subject": "ada", "role": "annotator"}]
    }
    assert token not in path.read_text()


def test_a_second_token_leaves_the_first_one_valid(tmp_path):
    path = tmp_path / "tokens.json"

    first, second = (tokens.add(path, subject=name, role="annotator") for name in ("ada", "bob"))

    assert first != second
    assert [entry["subject"] for entry in json.loads(path.read_text())["tokens"]] == ["ada", "bob"]


def test_a_role_nobody_checks_for_is_refused(tmp_path):
    with pytest.raises(tokens.UnknownRole, match="annotator, engineer, service, not 'boss'"):
        tokens.add(tmp_path / "tokens.json", subject="ada", role="boss")


def test_secrets_are_made_once_and_only_their_owner_may_read_them(tmp_path):
    home = Home(path=tmp_path / "home")

    first, second = local.secrets(home), local.secrets(home)

    assert first == second
    assert {path.name: path.stat().st_mode & 0o077 for path in home.path.iterdir()} == {
        "secrets.json": 0,
        "token": 0,
        "tokens.json": 0,
    }


def test_each_stack_has_secrets_of_its_own(tmp_path):
    one, other = (local.secrets(Home(path=tmp_path / name)) for name in ("one", "other"))

    assert one.postgres_password != other.postgres_password
    assert set(one.tokens.values()).isdisjoint(other.tokens.values())
