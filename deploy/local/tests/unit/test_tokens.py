import json
import subprocess
import sys
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
    with pytest.raises(tokens.UnknownRole, match="annotator, reviewer, manager, engineer, service, not 'boss'"):
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


def test_tokens_that_are_added_at_the_same_time_are_all_kept(tmp_path):
    path = tmp_path / "tokens.json"
    add = "import sys, pathlib; from relearn_local import tokens\n"
    add += "for i in range(50): tokens.add(pathlib.Path(sys.argv[1]), subject=sys.argv[2] + str(i), role='annotator')"
    adding = [subprocess.Popen([sys.executable, "-c", add, str(path), name]) for name in ("a", "b")]

    codes = [one.wait() for one in adding]

    assert codes == [0, 0]
    assert len(json.loads(path.read_text())["tokens"]) == 100


def test_a_file_that_others_may_read_stays_so(tmp_path):
    path = tmp_path / "tokens.json"
    tokens.add(path, subject="ada", role="annotator")
    path.chmod(0o644)  # as for containers, whose user is another one

    tokens.add(path, subject="bob", role="annotator")

    assert path.stat().st_mode & 0o777 == 0o644


def test_a_service_that_is_new_gets_secrets_in_a_home_that_is_not(tmp_path):
    home = Home(path=tmp_path)
    made = local.secrets(home)
    older = json.loads(home.secrets_file.read_text())
    del older["tokens"]["gateway"], older["database_passwords"]["control"]
    home.secrets_file.write_text(json.dumps(older))

    now = local.secrets(home)

    assert (now.tokens["registry"], now.postgres_password) == (made.tokens["registry"], made.postgres_password)
    assert now.tokens["gateway"] not in ("", made.tokens["gateway"])
    assert now.database_passwords["control"]
    assert local.secrets(home) == now
