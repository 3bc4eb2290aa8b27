"""`make demo`: the loop closes by itself, on real images.

python -m fashion_demo [--seed 0] [--rate 100] [--keep]
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fashion_demo.evaluation import evaluate
from fashion_demo.outcome import Outcome, write_json
from fashion_demo.report import accuracy_rows, since_change_rows, write_html
from fashion_demo.stack import Processes
from fashion_demo.story import PROJECT, Story, StoryStuck
from fashion_demo.telling import Teller, teller
from fashion_demo.timeline import Timeline
from relearn_client import Relearn


def main() -> int:
    """Tell the story; 0 only if the loop closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of traffic and annotators")
    parser.add_argument("--rate", type=float, default=100, help="pictures a second")
    parser.add_argument("--folder", type=Path, default=Path(".relearn/demo"))
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    home = folder / "stack"
    folder.mkdir(parents=True, exist_ok=True)
    for old in ("product.jsonl", "report.html", "report.json"):
        (folder / old).unlink(missing_ok=True)
    processes = Processes(home=home, logs=folder / "logs")
    told = teller()
    try:
        outcome = _tell(told, processes, folder=folder, rate=options.rate, seed=options.seed)
    except (StoryStuck, RuntimeError) as problem:
        told.close()
        print(f"\n{problem}\n\nLogs: {folder / 'logs'} and {home / 'logs'}", file=sys.stderr)
        return 1
    finally:
        told.close()
        processes.stop_all()
        if not options.keep:
            processes.local("down")
    _print(outcome, folder=folder, home=home, keep=options.keep)
    return 0 if outcome.closed else 1


def _tell(told: Teller, processes: Processes, *, folder: Path, rate: float, seed: int) -> Outcome:
    start = time.monotonic()
    told.step("start Kafka, PostgreSQL and the services")
    processes.local("reset", "--yes")
    processes.local("up")
    with Relearn(home=folder / "stack") as relearn:
        timeline = Timeline(relearn, project=PROJECT, path=folder / "events.jsonl")
        story = Story(
            relearn=relearn,
            processes=processes,
            timeline=timeline,
            teller=told,
            folder=folder,
            rate=rate,
            seed=seed,
        )
        story.run()
        told.step("measure both champions on held-out pictures")
        outcome = evaluate(story, duration_s=time.monotonic() - start)
        timeline.stop()
        _write_routes(relearn, folder / "routes.json")
    write_json(outcome, folder / "report.json")
    write_html(outcome, folder / "report.html")
    return outcome


def _write_routes(relearn: Relearn, path: Path) -> None:
    """When each route was decided and when every gateway had it, in seconds since the epoch; for bench/loop."""
    changes = [
        {
            "revision": change.route.revision,
            "change_time": change.route.changed_at.timestamp(),
            "acknowledge_time": change.acknowledged_at.timestamp() if change.acknowledged_at else None,
        }
        for change in relearn.routes(PROJECT)
    ]
    path.write_text(json.dumps(changes, indent=2) + "\n")


def _print(outcome: Outcome, *, folder: Path, home: Path, keep: bool) -> None:
    """The table at the end."""
    console = Console()
    accuracy = Table("accuracy", "with 95 % interval", "pictures")
    for row in accuracy_rows(outcome):
        accuracy.add_row(*row)
    console.print(accuracy)
    spending = Table("stream", "labels", "answers")
    for spent in outcome.spending:
        spending.add_row(spent.stream, str(spent.labels), str(spent.answers))
    console.print(spending)
    since = Table("since the camera was turned", "")
    for name, seconds in since_change_rows(outcome):
        since.add_row(name, seconds)
    console.print(since)
    console.print(f"\nrelearn trace {outcome.traced_prediction}", highlight=False)
    for line in outcome.trace:
        console.print(line, highlight=False, markup=False)
    console.print()
    for check in outcome.checks:
        console.print(
            f"{'✓' if check.passed else '✗'} {check.name}: {check.detail}",
            style="green" if check.passed else "red",
            markup=False,
        )
    verdict = "The loop closed" if outcome.closed else "The loop did not close"
    console.print(f"\n{verdict} in {outcome.duration_s:.0f} s. Report: {folder / 'report.html'}")
    look = "it is running" if keep else "start it again with `relearn up`"
    shown = os.path.relpath(home)
    console.print(f"Look around in the demo's stack ({look}): export RELEARN_HOME={shown}")


if __name__ == "__main__":
    sys.exit(main())
