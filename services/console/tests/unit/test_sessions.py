"""Counting wrong tokens."""

import pytest

from relearn_console.sessions import Attempts, is_token


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_waits_for_the_end_of_its_window_and_others_do_not():
    clock = Clock()
    attempts = Attempts(most=2, window_s=60, clock=clock)

    attempts.note_wrong("a")
    clock.now += 20
    assert attempts.wait_s("a") == 0
    attempts.note_wrong("a")

    assert (attempts.wait_s("a"), attempts.wait_s("b")) == (40, 0)
    clock.now += 40
    assert attempts.wait_s("a") == 0


def test_addresses_are_forgotten_with_their_window():
    clock = Clock()
    attempts = Attempts(most=2, window_s=60, clock=clock)
    for number in range(100):
        attempts.note_wrong(f"address {number}")

    clock.now += 61
    attempts.wait_s("x")

    assert attempts._wrong == {}


@pytest.mark.parametrize(
    ("text", "expected"), [("abc-_~", True), ("", False), ("a b", False), ("ä", False), ("a\n", False)]
)
def test_only_what_can_stand_in_a_header_is_a_token(text, expected):
    assert is_token(text) is expected
