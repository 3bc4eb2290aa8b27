"""The report as one self-contained HTML page: a picture, tables, a trace."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from fashion_demo.chart import accuracy_chart
from fashion_demo.outcome import Outcome

TEMPLATE = Path(__file__).parent / "report.html"
BRANCHES = " │├└─"
LONG_ID = re.compile(r"\b([0-9a-f]{8})(?:[0-9a-f]{56}|-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")


def write_html(outcome: Outcome, path: Path, *, duration_s: float) -> None:
    """Draw the report; the page loads nothing."""
    page = Template(TEMPLATE.read_text())
    path.write_text(
        page.substitute(
            verdict="The loop closed" if outcome.closed else "The loop did not close",
            verdict_class="good" if outcome.closed else "bad",
            headline=escape(headline(outcome)),
            seed=outcome.seed,
            duration=f"{duration_s:.0f}",
            chart=accuracy_chart(outcome.points, outcome.moments, outcome.phases),
            held_out=_rows(held_out_rows(outcome)),
            held_out_pictures=f"{outcome.held_out.recovered.n:,}",
            recovered=escape(recovered_words(outcome)),
            traffic=_rows(traffic_rows(outcome)),
            spending=_rows(spending_rows(outcome)),
            learned=escape(learned_words(outcome)),
            moments=_rows(moment_rows(outcome)),
            checks=_rows([("✓" if c.passed else "✗", c.name, c.detail) for c in outcome.checks]),
            traced=escape(outcome.traced_prediction),
            trace="\n".join(_trace_line(line) for line in outcome.trace),
        )
    )


def headline(outcome: Outcome) -> str:
    """What came back, and for what."""
    return (
        f"{outcome.held_out.recovered.value:.0%} of the lost accuracy came back, for {outcome.labels} labels"
        f" ({outcome.answers} answers of simulated annotators)"
    )


def held_out_rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Champions by cameras: which champion, accuracy with the old camera, with the new one."""
    found = outcome.held_out
    return [
        ("first champion", str(found.first_old_camera), str(found.first_new_camera)),
        ("new champion", str(found.last_old_camera), str(found.last_new_camera)),
    ]


def recovered_words(outcome: Outcome) -> str:
    """The table of champions and cameras in one sentence."""
    found = outcome.held_out
    return (
        f"Recovered: {found.recovered} of what the first champion lost with the new camera."
        f" Lost with the old camera: {found.lost.in_points()}, picture by picture."
        " 95 % intervals over pictures; another seed moves these values too."
    )


def traffic_rows(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """Stretches of traffic: when, accuracy, distinct pictures, answers."""
    return [(s.name, str(s.accuracy), f"{s.accuracy.n:,}", f"{s.answers:,}") for s in outcome.traffic]


def spending_rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    """What each stream cost: labels, answers."""
    rows = [(spent.stream, f"{spent.labels:,}", f"{spent.answers:,}") for spent in outcome.spending]
    return [*rows, ("in all", f"{outcome.labels:,}", f"{outcome.answers:,}")]


def learned_words(outcome: Outcome) -> str:
    """Which of these labels count for the new champion."""
    return f"The new champion learned from {outcome.learned_from} selected labels; the others judge, or came later."


def moment_rows(outcome: Outcome) -> list[tuple[str, str]]:
    """What happened when, in seconds since the camera was turned."""
    return [(moment.name, f"{moment.after_s:.1f} s") for moment in outcome.moments if moment.key != "turned"]


def _rows(rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)


def short(line: str) -> str:
    """A line of the trace with its long ids shortened."""
    return LONG_ID.sub(r"\1…", line)


def _trace_line(line: str) -> str:
    """One line of the trace, which wraps under its own beginning; long ids are shortened, and whole when pointed at."""
    text = line.lstrip(BRANCHES)
    branch = line.removesuffix(text)
    short = LONG_ID.sub(r"\1…", text)
    return (
        f'<div style="--deep:{len(branch)}" title="{escape(text)}"><span>{escape(branch)}</span>{escape(short)}</div>'
    )
