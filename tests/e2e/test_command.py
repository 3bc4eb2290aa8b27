"""What the `relearn` command says about a stack in which the loop has closed."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from demo import Demo

from relearn_client import Relearn

COMMAND = str(Path(sys.executable).with_name("relearn"))
PROJECT = "fashion"


def relearn(demo: Demo, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as a person gives it."""
    return subprocess.run(
        [COMMAND, *arguments], env=demo.stack.environment, cwd=demo.folder, capture_output=True, text=True, timeout=60
    )


def said(demo: Demo, *arguments: str) -> Any:
    """What a script reads."""
    done = relearn(demo, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_models_name_the_champion_and_where_each_version_stands(demo: Demo) -> None:
    champions = [model for model in said(demo, "models", PROJECT) if "champion" in model["aliases"]]

    assert len(champions) == 1
    assert champions[0]["number"] > 1
    assert champions[0]["model_version_id"] in relearn(demo, "models", PROJECT).stdout


def test_studies_and_alerts_are_told_with_their_ends(demo: Demo) -> None:
    studies, alerts = said(demo, "studies", PROJECT), said(demo, "alerts", PROJECT)

    assert {study["state"] for study in studies} == {"finished"}
    assert "resolved" in {alert["state"] for alert in alerts}


def test_a_champion_is_not_promoted_again(demo: Demo) -> None:
    (champion,) = [model for model in said(demo, "models", PROJECT) if "champion" in model["aliases"]]

    done = relearn(demo, "promote", champion["model_version_id"], "--reason", "a test")

    assert done.returncode == 1
    assert "is the champion already" in done.stderr
    assert "`relearn models PROJECT` shows what serves" in done.stderr


def test_a_flagged_prediction_is_traced_to_a_label(demo: Demo) -> None:
    flag = next(demo.books.messages("PredictionFlagged"))["flag"]

    done = relearn(demo, "trace", flag["prediction_id"])

    assert done.returncode == 0, done.stderr
    assert f"prediction {flag['prediction_id']}" in done.stdout
    assert "<── asked for" in done.stdout


@pytest.mark.parametrize("arguments", [("why", PROJECT), ("versions", PROJECT), ("project", "show", PROJECT)])
def test_there_is_something_to_say(demo: Demo, arguments: tuple[str, ...]) -> None:
    done = relearn(demo, *arguments)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_events_are_followed_until_ctrl_c(demo: Demo) -> None:
    command = [COMMAND, "events", "tail", "--from-beginning", "--type", "RouteChanged", "--project", PROJECT]
    # where the tests run in the background of a shell, interrupts are ignored, and children inherit that
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, env=demo.stack.environment, stdout=subprocess.PIPE, text=True, preexec_fn=heard
    ) as following:
        first = following.stdout.readline()
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=60)

    assert f" RouteChanged {PROJECT}/" in first
    assert following.returncode == 0


def test_the_sdk_tells_routes_windows_and_the_budget(demo: Demo) -> None:
    with Relearn(home=demo.stack.home) as client:
        routes, windows, watched = client.routes(PROJECT), client.windows(PROJECT), client.monitoring(PROJECT)
        serves = client.model(routes[0].route.champion)

    assert routes[0].route.phase == "serving"
    assert "champion" in serves.aliases
    assert {window.model_version_id for window in windows} <= {f"{PROJECT}/model/{n}" for n in range(1, 10)}
    assert watched.budget.streams["selected"].spent > 0
