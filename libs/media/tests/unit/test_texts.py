"""Texts are UTF-8, and counted as a browser counts."""

from __future__ import annotations

import pytest

from relearn_media import MediaRefused, TextLimits, decode_text
from relearn_media.texts import code_units


def test_a_text_is_taken_as_it_is_but_for_its_byte_order_mark():
    assert decode_text("\ufeffa\r\nb \ufeff".encode()) == "a\r\nb \ufeff"


@pytest.mark.parametrize(("text", "units"), [("", 0), ("abc", 3), ("äöü", 3), ("测试", 2), ("a\U0001f600b", 4)])
def test_code_units_are_those_of_utf_16(text, units):
    assert code_units(text) == units == len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("data", "reason", "message"),
    [
        (b"abc\xff", "TEXT_NOT_UTF8", "byte 3 "),
        (b"ab\0c", "TEXT_NOT_UTF8", "byte 2 is zero"),
        (b"x" * 11, "TEXT_TOO_LARGE", "11 bytes of text, at most 10"),
    ],
)
def test_what_is_no_text_is_refused_with_where_and_why(data, reason, message):
    with pytest.raises(MediaRefused, match=message) as refused:
        decode_text(data, TextLimits(max_bytes=10))

    assert refused.value.reason == reason
