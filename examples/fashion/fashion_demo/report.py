"""The report as one self-contained HTML page: a table, a picture, a trace."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from fashion_demo.chart import accuracy_chart
from fashion_demo.outcome import Outcome

TEMPLATE = Path(__file__).parent / "report.html"

SINCE_CHANGE = {
    "alert": "alert opened",
    "first_task": "first label task",
    "confirmed": "alert confirmed",
    "commit": "dataset version committed",
    "study": "study finished",
    "new_champion": "new champion serves everything",
    "resolved": "alert resolved",
}


def write_html(outcome: Outcome, path: Path) -> None:
    """Draw the report; the page loads nothing."""
    page = Template(TEMPLATE.read_text())
    path.write_text(
        page.substitute(
            verdict="The loop closed" if outcome.closed else "The loop did not close",
            verdict_class="good" if outcome.closed else "bad",
            seed=outcome.seed,
            duration=f"{outcome.duration_s:.0f}",
            recovered=f"{outcome.recovered.value:.0%}",
            chart=accuracy_chart(outcome.points, outcome.moments),
            accuracy=_rows(accuracy_rows(outcome)),
            spending=_rows([(s.stream, str(s.labels), str(s.answers)) for s in outcome.spending]),
            since_change=_rows(since_change_rows(outcome)),
            checks=_rows([("✓" if c.passed else "✗", c.name, c.detail) for c in outcome.checks]),
            traced=escape(outcome.traced_prediction),
            trace=escape("\n".join(outcome.trace)),
        )
    )


def accuracy_rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Rows of the accuracy table: what, accuracy with interval, pictures."""
    shares = {
        "before the camera was turned": outcome.before,
        "from the turn to the new champion": outcome.during,
        "after the new champion": outcome.after,
        "lost accuracy recovered (held-out pictures)": outcome.recovered,
        "old camera, old champion (held-out)": outcome.old_camera_before,
        "old camera, new champion (held-out)": outcome.old_camera_after,
    }
    return [(name, str(share), str(share.n)) for name, share in shares.items()]


def since_change_rows(outcome: Outcome) -> list[tuple[str, str]]:
    """Rows of the table of times: what, seconds since the camera was turned."""
    return [
        (SINCE_CHANGE[name], f"{seconds:.1f} s")
        for name, seconds in outcome.since_change_s.items()
        if name in SINCE_CHANGE
    ]


def _rows(rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
