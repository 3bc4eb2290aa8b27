"""One set of services for the module; `client_stack` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from client_stack import project, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory, postgres_server_of_run, kafka_server_of_run, test_ports):
    """All services but the gateway."""
    folder = tmp_path_factory.mktemp("client")
    with running(folder, postgres_server_of_run, kafka_server_of_run, test_ports) as services:
        yield services


@pytest.fixture
def relearn(stack):
    """An engineer's client."""
    with stack.client() as client:
        yield client


@pytest.fixture
def fruit(relearn):
    """The name of a project of this test's own, applied."""
    name = f"fruit-{uuid4().hex[:8]}"
    relearn.apply_project(project(name, datasets={"commit_after": "1s"}))
    return name
