"""One console for the tests of a module; `console_world` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from relearn_local import tokens as token_file
from relearn_local.testing import TokensForTest

sys.path.insert(0, str(Path(__file__).parent))

from console_world import SECRET, Browser, running


@pytest.fixture(scope="module")
def console_folder(tmp_path_factory):
    """What the console of the module keeps and serves."""
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="module")
def console_tokens(console_folder):
    """Its tokens file, with one token a role."""
    path = console_folder / "tokens.json"
    by_role = {role: token_file.add(path, subject=f"test-{role}", role=role) for role in token_file.ROLES}
    return TokensForTest(path=path, by_role=by_role)


@pytest.fixture(scope="module")
def console_of_module(console_tokens, console_folder):
    """A console whose services are away."""
    with running(console_tokens, console_folder, secret=SECRET) as browser:
        yield browser


@pytest.fixture
def console(console_of_module):
    """A browser of the test's own at it."""
    return Browser(console_of_module.address)


@pytest.fixture
def own_console(tokens, tmp_path):
    """A browser at a console of the test's own."""
    with running(tokens, tmp_path) as browser:
        yield browser
