"""The tables at the end, in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fashion_demo import report as words
from fashion_demo.outcome import Outcome


def show(outcome: Outcome, console: Console, *, duration_s: float, report: Path) -> None:
    """What the report shows, without the picture; the verdict last."""
    pictures = f"{outcome.held_out.recovered.n:,} held-out pictures"
    _table(console, (f"accuracy on {pictures}", "old camera", "new camera"), words.held_out_rows(outcome))
    console.print(words.recovered_words(outcome), highlight=False)
    _table(console, ("accuracy in the traffic", "", "pictures", "answers"), words.traffic_rows(outcome))
    _table(console, ("stream", "labels", "answers"), words.spending_rows(outcome))
    console.print(words.learned_words(outcome), highlight=False)
    _table(console, ("since the camera was turned", ""), words.moment_rows(outcome))
    console.print(f"\nrelearn trace {outcome.traced_prediction}", highlight=False)
    for line in outcome.trace:
        console.print(words.short(line), highlight=False, markup=False, no_wrap=True, overflow="ellipsis")
    console.print()
    for check in outcome.checks:
        style = "green" if check.passed else "red"
        console.print(f"{'✓' if check.passed else '✗'} {check.name}: {check.detail}", style=style, markup=False)
    verdict = "The loop closed" if outcome.closed else "The loop did not close"
    console.print(f"\n{words.headline(outcome)}.", highlight=False)
    console.print(f"{verdict} in {duration_s:.0f} s. Report: {report}", soft_wrap=True)


def _table(console: Console, header: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(header[0])
    for name in header[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
