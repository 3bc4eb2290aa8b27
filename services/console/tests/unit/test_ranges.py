"""Which bytes a range request gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relearn_console.ranges import Part, Unsatisfiable, part_of

ETAG = '"tag"'


def part(asked: str | None, *, size: int = 100, if_range: str | None = None) -> tuple[int, int] | None:
    found = part_of(size, asked=asked, if_range=if_range, etag=ETAG)
    return None if found is None else (found.start, found.end)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("Bytes=99-", (99, 100)),
    ],
)
def test_one_range_is_given(asked, expected):
    assert part(asked) == expected


@pytest.mark.parametrize(
    "asked",
    [None, "", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=0-" + "9" * 30],
)
def test_what_is_no_single_range_gets_the_whole(asked):
    assert part(asked) is None


@pytest.mark.parametrize(
    ("asked", "size"), [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=-1", 0)]
)
def test_a_range_beyond_the_end_cannot_be_given(asked, size):
    with pytest.raises(Unsatisfiable):
        part(asked, size=size)


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [(ETAG, (1, 2)), ('"other"', None), ('W/"tag"', None), ("Wed, 25 Nov 2026 12:00:00 GMT", None)],
)
def test_a_part_only_of_what_the_client_has_the_rest_of(if_range, expected):
    assert part("bytes=1-1", if_range=if_range) == expected


@given(asked=st.text() | st.from_regex(r"bytes=\d{0,20}-\d{0,20}", fullmatch=True), size=st.integers(0, 10**12))
def test_whatever_is_asked_a_part_lies_within_the_whole(asked, size):
    try:
        found = part_of(size, asked=asked, if_range=None, etag=ETAG)
    except Unsatisfiable:
        return

    assert found is None or 0 <= found.start < found.end <= size


def test_a_part_says_where_it_lies():
    found = part_of(100, asked="bytes=10-19", if_range=None, etag=ETAG)

    assert found == Part(start=10, end=20, size=100)
    assert (found.length, found.content_range) == (10, "bytes 10-19/100")
