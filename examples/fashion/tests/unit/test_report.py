import json
import re
from pathlib import Path

import pytest
from fashion_demo.outcome import write_json
from fashion_demo.report import write_html
from stories import outcome


@pytest.fixture
def page(tmp_path: Path) -> str:
    write_html(outcome(), tmp_path / "report.html", duration_s=150.4)
    return (tmp_path / "report.html").read_text()


def test_the_page_loads_nothing(page: str):
    outside = re.findall(r"(?:src|href|action)=|url\(|@import|<script|<link|<iframe", page)

    assert outside == []


def test_what_is_shown_is_text_and_never_markup(page: str):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "before &lt;i&gt;" in page
    assert "root &lt;b&gt;" in page
    assert "$verdict &amp; more" in page


def test_the_headline_says_what_it_cost_and_who_answered(page: str):
    assert "86% of the lost accuracy came back, for 200 labels (210 answers of simulated annotators)" in page


def test_long_ids_are_shortened_and_there_when_pointed_at(page: str):
    digest = "a1" * 32

    assert f'title="sample p/sample/{digest}: sent"' in page
    assert "<span>└─ </span>sample p/sample/a1a1a1a1…: sent" in page


def test_both_lines_are_named_and_the_phases_shaded(page: str):
    assert re.findall(r'<text class="name \w+"[^>]*>([^<]*)', page) == ["loop switched off", "with the loop"]
    assert re.findall(r'<rect class="phase (\w+)"', page) == ["labels", "study", "shadow", "canary"]
    assert re.findall(r"<title>(canary [^<]*)", page) == ["canary 10 %", "canary 50 %"]


def test_a_loop_that_did_not_close_says_so(tmp_path: Path):
    failed = outcome(passed=False)

    write_html(failed, tmp_path / "report.html", duration_s=1)
    write_json(failed, tmp_path / "report.json", duration_s=1)

    assert "The loop did not close" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["closed"] is False
