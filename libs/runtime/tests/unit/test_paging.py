"""Sizes of pages, and tokens that only their own list reads."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest

from relearn_runtime.errors import InvalidInput
from relearn_runtime.paging import page_size, place, token

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def forged(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (500, 500), (501, 500)])
def test_a_page_has_the_size_that_was_asked_for_up_to_500(asked: int, size: int) -> None:
    assert page_size(asked) == size


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match="-1"):
        page_size(-1)


def test_a_token_names_the_place_it_was_made_for() -> None:
    assert place(token("alerts", 7), "alerts", int) == 7
    assert place(token("tasks", NOON, "task 1"), "tasks", datetime, str) == (NOON, "task 1")
    assert place(token("diff", 0, 2**63 - 1, 3), "diff", int, int, int) == (0, 2**63 - 1, 3)


def test_the_first_page_has_no_place() -> None:
    assert place("", "alerts", int) is None


def test_a_time_is_that_of_utc() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))

    assert place(token("tasks", east, "a"), "tasks", datetime, str) == (NOON, "a")


@pytest.mark.parametrize(
    "text",
    [
        token("windows", 7),
        token("alerts", 7, 8),
        token("alerts"),
        *(forged(f"alerts\n{number}") for number in ("-1", "x", "", "٣", 2**63, 10**30, "9" * 5000)),
        "x",
        "ÿ",
        "%",
        forged("\xff"),
    ],
)
def test_what_is_no_token_of_the_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no token of this list"):
        place(text, "alerts", int)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00\nzoneless",
        "0001-01-01T00:00:00+23:59\nbefore the first year of UTC",
        "yesterday\nx",
        "2026-11-23T12:00:00+00:00\n",
        "2026-11-23T12:00:00+00:00\nnul\0",
    ],
)
def test_a_time_or_a_text_that_no_row_has_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no token of this list"):
        place(forged(f"tasks\n{text}"), "tasks", datetime, str)
