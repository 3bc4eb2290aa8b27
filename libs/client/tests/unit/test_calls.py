"""How long a call is repeated."""

from __future__ import annotations

import time

import grpc
import pytest

from relearn.registry.v1 import registry_service_pb2 as pb
from relearn_client import Unavailable
from relearn_client.calls import Calls
from relearn_client.endpoints import Access, Endpoints

PATIENCE_S = 0.3


@pytest.fixture
def calls():
    made = Calls(Access(endpoints=Endpoints(registry="127.0.0.1:1"), token="x"), deadline_s=5, patience_s=PATIENCE_S)
    yield made
    made.close()


class Attempt:
    """Fails `failures` times, each after `lasts_s`, then succeeds."""

    def __init__(self, calls: Calls, *, lasts_s: float, failures: int) -> None:
        self._calls, self._lasts_s, self._failures = calls, lasts_s, failures

    def __call__(self) -> str:
        if self._failures == 0:
            return "done"
        self._failures -= 1
        time.sleep(self._lasts_s)
        self._calls.registry.GetProject(pb.GetProjectRequest(), timeout=5)  # nobody listens there
        raise AssertionError


def test_patience_begins_with_the_first_failure_not_with_the_call(calls):
    assert calls.patiently("registry", Attempt(calls, lasts_s=2 * PATIENCE_S, failures=1)) == "done"


def test_patience_begins_anew_when_an_attempt_got_somewhere(calls):
    attempt = Attempt(calls, lasts_s=2 * PATIENCE_S, failures=3)

    assert calls.patiently("registry", attempt, moved=lambda: True) == "done"


def test_patience_ends(calls):
    with pytest.raises(Unavailable) as caught:
        calls.patiently("registry", Attempt(calls, lasts_s=0, failures=10**9))

    assert isinstance(caught.value.__cause__, grpc.RpcError)
