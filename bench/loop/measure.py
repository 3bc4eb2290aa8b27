"""How long each hand-over of the loop takes, from the times in the events of one demo run.

    python bench/loop/measure.py [.relearn/demo]

Reads `events.jsonl` and `routes.json` of the demo's folder and prints p50, p95 and p99 in seconds, where there are
values enough for them. All times were set by the services themselves on one machine, so they share a clock.
"""

import json
import math
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

Event = dict[str, Any]


def events_of(folder: Path) -> list[Event]:
    """Events of the run, in the order they came."""
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def seconds(time: str) -> float:
    """An RFC 3339 time as seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp()


def named(events: list[Event], name: str) -> Iterator[Event]:
    """Events of one short name."""
    return (event for event in events if event["name"] == name)


def prediction_to_flag(events: list[Event], stream: str) -> list[float]:
    """From the answer to its flag, inputs stored in between."""
    flags = [event["message"]["flag"] for event in named(events, "PredictionFlagged")]
    return [seconds(flag["flag_time"]) - seconds(flag["predict_time"]) for flag in flags if flag["stream"] == stream]


def prediction_to_task(events: list[Event], stream: str) -> list[float]:
    """From the answer to its task, visible to annotators."""
    predicted = {
        event["message"]["flag"]["flag_id"]: seconds(event["message"]["flag"]["predict_time"])
        for event in named(events, "PredictionFlagged")
        if event["message"]["flag"]["stream"] == stream
    }
    return [
        event["time"] - predicted[event["message"]["flag_id"]]
        for event in named(events, "LabelTaskOpened")
        if event["message"]["flag_id"] in predicted
    ]


def flag_to_task(events: list[Event]) -> list[float]:
    """From a flag to its task: what the events themselves cost."""
    flagged = {e["message"]["flag"]["flag_id"]: e["time"] for e in named(events, "PredictionFlagged")}
    return [
        event["time"] - flagged[event["message"]["flag_id"]]
        for event in named(events, "LabelTaskOpened")
        if event["message"]["flag_id"] in flagged
    ]


def window_to_tasks(events: list[Event]) -> list[float]:
    """From the close of a window to the task of each pick that was made in it; 0 where the task came first."""
    windows = [event["message"]["window"] for event in named(events, "WindowClosed")]
    return [
        max(0.0, event["time"] - seconds(window["close_time"]))
        for event, flag in first_flags(events)
        for window in windows
        if flag["model_version_id"] == window["model_version_id"]
        and seconds(window["start_time"]) <= seconds(flag["predict_time"]) <= seconds(window["end_time"])
        and seconds(flag["pick_time"]) <= seconds(window["close_time"])
    ]


def alert_to_first_task(events: list[Event]) -> list[float]:
    """From each alert to the first task it asked for."""
    opened = {e["message"]["alert"]["alert_id"]: e["time"] for e in named(events, "AlertOpened")}
    first: dict[str, float] = {}
    for event, flag in first_flags(events):
        if (alert_id := flag.get("alert_id")) in opened:
            first.setdefault(alert_id, event["time"] - opened[alert_id])
    return list(first.values())


def pick_to_task(events: list[Event]) -> list[float]:
    """From the picks that an alert asked for to their tasks; what shifts later is picked later."""
    return [event["time"] - seconds(flag["pick_time"]) for event, flag in first_flags(events) if flag.get("alert_id")]


def first_flags(events: list[Event]) -> Iterator[tuple[Event, dict[str, Any]]]:
    """Each task that was opened, with the flag that opened it."""
    for event in named(events, "LabelTaskOpened"):
        for flag in event["message"]["label_task"]["flags"]:
            if flag["flag_id"] == event["message"]["flag_id"]:
                yield event, flag


def policy_to_commit(events: list[Event]) -> list[float]:
    """From the moment that the commit policy fires (so many labels wait, or the oldest for so long) to the version."""
    policy = next(named(events, "ProjectApplied"))["message"]["project"]["datasets"]
    enough, after_s = int(policy["commit_labels"]), float(policy["commit_after"].removesuffix("s"))
    accepted: dict[str, float] = {}
    for event in named(events, "LabelAccepted"):
        accepted.setdefault(event["message"]["label"]["label_id"], event["time"])
    found = []
    for event in named(events, "VersionCommitted"):
        waited = sorted(accepted[label_id] for label_id in event["message"].get("label_ids", ()))
        if waited:
            by_number = waited[enough - 1] if len(waited) >= enough else math.inf
            found.append(event["time"] - min(waited[0] + after_s, by_number))
    return found


def commit_to_study(events: list[Event]) -> list[float]:
    """From a version to the study it started."""
    committed = {
        e["message"]["dataset_version"]["dataset_version_id"]: e["time"] for e in named(events, "VersionCommitted")
    }
    return [
        event["time"] - committed[event["message"]["study"]["dataset_version_id"]]
        for event in named(events, "StudyStarted")
    ]


def route_to_gateways(folder: Path) -> list[float]:
    """From a change of the route until the last gateway acknowledged it."""
    changes = json.loads((folder / "routes.json").read_text())
    return [
        change["acknowledge_time"] - change["change_time"]
        for change in changes
        if change["acknowledge_time"] is not None
    ]


def quantile(found: list[float], q: float) -> str:
    """The quantile, or nothing where fewer than one value in expectation lies above it."""
    return f"{np.quantile(found, q):.3f}" if len(found) * (1 - q) >= 1 else "-"


def main(folder: Path) -> None:
    """Print the table."""
    events = events_of(folder)
    rows = {
        "prediction → audit flag": prediction_to_flag(events, "STREAM_AUDIT"),
        "prediction → audit task visible": prediction_to_task(events, "STREAM_AUDIT"),
        "prediction → disagreement task visible": prediction_to_task(events, "STREAM_DISAGREEMENT"),
        "flag → task visible": flag_to_task(events),
        "window close → tasks of its picks": window_to_tasks(events),
        "commit policy fires → commit": policy_to_commit(events),
        "alert → first task": alert_to_first_task(events),
        "alert's pick → task visible": pick_to_task(events),
        "commit → study": commit_to_study(events),
        "route move → all gateways": route_to_gateways(folder),
    }
    table = Table("hand-over", "n", "p50 s", "p95 s", "p99 s")
    for name, found in rows.items():
        table.add_row(name, str(len(found)), *(quantile(found, q) for q in (0.5, 0.95, 0.99)))
    Console().print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".relearn/demo"))
