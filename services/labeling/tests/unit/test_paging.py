"""Pages and their tokens."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from labeling_values import NOW

from relearn_labeling import paging
from relearn_runtime.errors import InvalidInput


@pytest.mark.parametrize(("wanted", "size"), [(0, 50), (7, 7), (500, 500), (501, 500)])
def test_a_page_has_the_size_that_was_asked_for_up_to_500(wanted: int, size: int):
    assert paging.page_size(wanted) == size


def test_a_negative_size_is_refused():
    with pytest.raises(InvalidInput, match="-1"):
        paging.page_size(-1)


def test_a_token_names_the_place_it_was_made_for():
    assert paging.place(paging.token(NOW, "task 1")) == (NOW, "task 1")
    assert paging.place("") is None


@pytest.mark.parametrize(
    "text", ["ä", "x", "2026 no-time", "2026-11-23T12:00:00 zoneless", "2026-11-23T12:00:00+00:00"]
)
def test_what_is_no_token_of_ours_is_refused(text: str):
    for token in (text, urlsafe_b64encode(text.encode()).decode()):
        with pytest.raises(InvalidInput, match="unreadable"):
            paging.place(token)
