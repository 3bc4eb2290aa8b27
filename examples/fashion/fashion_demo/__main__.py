"""`make demo`: the loop closes by itself, on real images.

python -m fashion_demo [--seed 0] [--rate 100] [--keep]
"""

import argparse
import fcntl
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from fashion_demo.evaluation import evaluate
from fashion_demo.outcome import Outcome, write_failure, write_json
from fashion_demo.report import write_html
from fashion_demo.stack import Processes
from fashion_demo.story import PROJECT, Story
from fashion_demo.summary import show
from fashion_demo.telling import Teller, teller
from fashion_demo.timeline import Timeline
from relearn_client import Relearn

RESULTS = ("product.jsonl", "events.jsonl", "routes.json", "report.html", "report.json")
INTERRUPTED = 130


def main() -> int:
    """Tell the story; 0 only if the loop closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of traffic and annotators")
    parser.add_argument("--rate", type=float, default=100, help="pictures a second")
    parser.add_argument("--folder", type=Path, default=Path(".relearn/demo"))
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder) as alone:
        if not alone:
            print(f"a demo runs in {folder} already", file=sys.stderr)
            return 1
        for old in RESULTS:
            (folder / old).unlink(missing_ok=True)
        return _run(folder, rate=options.rate, seed=options.seed, keep=options.keep)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether this is the only demo in the folder; a second one would pull the stack from under the first."""
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _run(folder: Path, *, rate: float, seed: int, keep: bool) -> int:
    """The story with all that may go wrong: whatever happens is said in words, and everything is stopped."""
    start = time.monotonic()
    home, logs = folder / "stack", folder / "logs"
    processes = Processes(home=home, logs=logs)
    told = teller()
    try:
        outcome = _tell(told, processes, folder=folder, rate=rate, seed=seed)
        duration_s = time.monotonic() - start
        write_json(outcome, folder / "report.json", duration_s=duration_s)
        write_html(outcome, folder / "report.html", duration_s=duration_s)
        told.done()
    except (Exception, KeyboardInterrupt) as problem:
        told.failed()
        interrupted = isinstance(problem, KeyboardInterrupt)
        reason = "interrupted" if interrupted else str(problem) or repr(problem)
        (logs / "demo.log").write_text(traceback.format_exc())
        write_failure(reason, folder / "report.json", duration_s=time.monotonic() - start)
        print(f"\n{reason}\n\nLogs: {logs} and {home / 'logs'}\nstopping", file=sys.stderr)
        return INTERRUPTED if interrupted else 1
    finally:
        processes.stop_all()
        if not keep:
            processes.local("down")
    show(outcome, Console(), duration_s=duration_s, report=folder / "report.html")
    look = "it is running" if keep else "start it again with `relearn up`"
    print(f"Look around in the demo's stack ({look}): export RELEARN_HOME={os.path.relpath(home)}")
    return 0 if outcome.closed else 1


def _tell(told: Teller, processes: Processes, *, folder: Path, rate: float, seed: int) -> Outcome:
    told.step("start Kafka, PostgreSQL and the services")
    processes.local("reset", "--yes")
    processes.local("up", say=told.progress)
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
        timeline.stop()
        told.step("measure both champions on held-out pictures")
        outcome = evaluate(story)
        _write_routes(relearn, folder / "routes.json")
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


if __name__ == "__main__":
    sys.exit(main())
