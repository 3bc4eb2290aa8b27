"""Picks whose input could not be put: waited for, tried again, or given up."""

from __future__ import annotations

import pytest

from relearn_monitoring.putting import ATTEMPTS, Fate, fate_of
from relearn_runtime.errors import DependencyUnavailable, InvalidInput, NotFound, PermissionDenied, RelearnError


def test_refused_input_is_given_up_at_once():
    assert fate_of(InvalidInput("no image"), attempts=1) is Fate.REFUSED


@pytest.mark.parametrize("error", [DependencyUnavailable("datasets"), TimeoutError(), ConnectionResetError()])
def test_what_is_away_is_waited_for(error):
    assert fate_of(error, attempts=10 * ATTEMPTS) is Fate.POSTPONED


@pytest.mark.parametrize("error", [NotFound("gone"), PermissionDenied("no"), RelearnError("INTERNAL"), KeyError("bug")])
def test_what_may_pass_does_not_keep_a_label_for_ever(error):
    assert fate_of(error, attempts=ATTEMPTS - 1) is Fate.POSTPONED
    assert fate_of(error, attempts=ATTEMPTS) is Fate.REFUSED
