"""A second project beside the demo's, as the README says it: other pictures, the same stack, and nothing mixes."""

import hashlib
import json
import math
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
import yaml
from asking import Asker, ask
from demo import Demo, Stack
from digits import CLASSES, Digit, digits, write
from fashion_demo.books import Books
from fashion_demo.camera import turned_camera
from fashion_demo.images import shuffled
from fashion_demo.timeline import Happened, Timeline
from waiting import until

from relearn_client import Relearn

PROJECT, OTHER = "digits", "fashion"
IMPORTED = 400  # of 1,797; the others are asked about
USUAL, TURNED = 500, 300  # asked about upright (the README's reference takes 200), and then turned
BATCH = 32


def project_file() -> str:
    """The README's, of these pictures."""
    readme = Path(__file__).parents[2] / "README.md"
    (block,) = re.findall(r"\n\n((?:    .*\n)*    project_id:.*\n(?:    .*\n)*)", readme.read_text())
    content = yaml.safe_load(textwrap.dedent(block))
    return yaml.safe_dump(content | {"project_id": PROJECT, "label_set": {"classes": list(CLASSES)}})


def relearn(stack: Stack, *arguments: str, folder: Path) -> str:
    """The command, as a person gives it."""
    command = [str(Path(sys.executable).with_name("relearn")), *arguments]
    done = subprocess.run(command, env=stack.environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened to the second project, and to the first one meanwhile."""

    right: Sequence[bool]
    asked: int
    counted: int
    fashion: Asker
    first_task: dict[str, Any]
    first_digit: Digit
    submitted: dict[str, Any]
    events: Sequence[Happened]
    fashion_events: Sequence[Happened]


@pytest.fixture(scope="module")
def story(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("digits")
    home = demo.stack.home
    with Relearn(home=home) as client:
        timelines = {name: Timeline(client, project=name, path=folder / name) for name in (PROJECT, OTHER)}
        generator = np.random.default_rng(0)
        fashion = [turned_camera(picture.content, generator) for picture in shuffled("held-out", seed=1)]
        with Asker(url=client.endpoints.gateway, model=OTHER, pictures=fashion, rate=20) as asker:
            client.train(OTHER, reason="two studies at once")
            yield _tell(demo.stack, client, folder, asker=asker, timelines=timelines)
        for timeline in timelines.values():
            timeline.stop()


def _tell(stack: Stack, client: Relearn, folder: Path, *, asker: Asker, timelines: dict[str, Timeline]) -> Story:
    happened = timelines[PROJECT]
    write(islice(digits(seed=0), IMPORTED), folder / "pictures")
    (folder / "digits.yaml").write_text(project_file())
    relearn(stack, "project", "apply", "digits.yaml", folder=folder)
    relearn(stack, "import", "pictures/", "--project", PROJECT, folder=folder)
    until(lambda: happened.all("RouteChanged"), "a champion", deadline_s=240)
    until(lambda: client.route_acknowledged(PROJECT), "a gateway that serves it")

    usual = list(islice(digits(seed=1), IMPORTED, IMPORTED + USUAL))
    right = _ask_about(client, usual)
    until(lambda: any(watched.reference_frozen for watched in client.monitoring(PROJECT).versions), "the reference")
    turned = list(islice(digits(seed=2, turned=True), IMPORTED, IMPORTED + TURNED))
    _ask_about(client, turned)

    until(lambda: happened.all("LabelTaskOpened"), "a label task")
    known = {hashlib.sha256(digit.content).hexdigest(): digit for digit in (*usual, *turned)}
    task = json.loads(relearn(stack, "label", "next", "--project", PROJECT, "--json", folder=folder))
    digit = known[hashlib.sha256((folder / task["picture"]).read_bytes()).hexdigest()]
    submitted = json.loads(
        relearn(stack, "label", "submit", task["label_task_id"], digit.label, "--json", folder=folder)
    )
    until(lambda: _answer_one(client, known) or len(happened.all("VersionCommitted")) > 1, "a commit of labels")
    until(lambda: client.monitoring(PROJECT).predictions >= len(usual) + len(turned), "the last prediction")
    events = until(lambda: _in_agreement(happened.events), "all that the commit names")
    return Story(
        right=right,
        asked=len(usual) + len(turned),
        counted=client.monitoring(PROJECT).predictions,
        fashion=asker,
        first_task=task,
        first_digit=digit,
        submitted=submitted,
        events=events,
        fashion_events=timelines[OTHER].events,
    )


def _in_agreement(events: Sequence[Happened]) -> Sequence[Happened] | None:
    """The events, unless one names what has not been heard of: topics are read in any order."""
    return None if Books(events=events).problems() else events


def _ask_about(client: Relearn, found: Sequence[Digit]) -> list[bool]:
    server = triton.InferenceServerClient(client.endpoints.gateway)
    right = []
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        given = ask(server, PROJECT, [digit.content for digit in batch])
        right += [answer.label == digit.label for answer, digit in zip(given, batch, strict=True)]
    server.close()
    return right


def _answer_one(client: Relearn, known: dict[str, Digit]) -> None:
    """One person answers what there is; nothing is returned, so that it can be a step of waiting."""
    task = client.next_task(PROJECT)
    if task is not None:
        client.submit(task.label_task_id, known[hashlib.sha256(task.content).hexdigest()].label)


def test_pictures_in_colour_of_mixed_sizes_and_formats_become_a_model_that_serves(story: Story) -> None:
    version = next(event.message["dataset_version"] for event in story.events if event.name == "VersionCommitted")

    assert int(version["counts"]["imported"]) == IMPORTED
    assert sum(story.right) > 0.6 * len(story.right)  # ten classes, 300 pictures to learn from


def test_a_task_shows_the_very_picture_that_was_asked_about(story: Story) -> None:
    assert Path(story.first_task["picture"]).suffix == Path(story.first_digit.name).suffix.replace("jpeg", "jpg")
    assert story.first_task["classes"] == list(CLASSES)


def test_one_person_is_enough(story: Story) -> None:
    labels = [event.message["label"] for event in story.events if event.name == "LabelAccepted"]

    assert story.submitted["task_state"] == "accepted"
    assert {label["answers"] for label in labels} == {1}


def test_the_labels_come_into_a_dataset_version(story: Story) -> None:
    accepted = {e.message["label"]["label_id"]: e.message["label"] for e in story.events if e.name == "LabelAccepted"}
    versions = [event.message for event in story.events if event.name == "VersionCommitted"]

    committed = {label_id for version in versions for label_id in version.get("label_ids", ())}

    first = next(label for label in accepted.values() if label["label_task_id"] == story.first_task["label_task_id"])
    assert first["label_id"] in committed
    assert first["regions"][0]["label"] == story.first_digit.label
    assert Books(events=story.events).problems() == []


def test_two_studies_ran_at_once(story: Story) -> None:
    mine = next(event for event in story.events if event.name == "StudyStarted")
    by_hand = [event for event in story.fashion_events if event.name == "StudyStarted"][-1]
    ended = {e.message["study"]["study_id"]: e.time for e in story.fashion_events if e.name == "StudyFinished"}

    assert by_hand.message["study"]["trigger"] == "TRIGGER_MANUAL"
    assert by_hand.time < mine.time < ended.get(by_hand.message["study"]["study_id"], math.inf)


def test_every_request_to_either_project_got_an_answer_of_its_own_classes(story: Story, demo: Demo) -> None:
    classes = next(demo.books.messages("ProjectApplied"))["project"]["label_set"]["classes"]

    assert story.fashion.errors == []
    assert {answer.label for answer in story.fashion.answers} <= set(classes)
    assert len(story.fashion.answers) > 100


def test_monitoring_counts_each_prediction_for_its_own_project(story: Story) -> None:
    assert story.counted == story.asked


def test_no_event_of_one_project_names_anything_of_the_other(story: Story) -> None:
    """Neither in its value nor among its causes: not a sample, task, window, budget, study or route."""
    assert not _ids(story.events) & _ids(story.fashion_events)
    assert [e.name for e in story.events if f"{OTHER}/" in json.dumps(e.message)] == []
    assert [e.name for e in story.fashion_events if f"{PROJECT}/" in json.dumps(e.message)] == []


def _ids(events: Sequence[Happened]) -> set[str]:
    """All ids of events, of their causes, and of what they tell."""
    found = {event.event_id for event in events} | {cause for event in events for cause in event.causes}
    values: list[Any] = [event.message for event in events]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            found |= {v for k, v in value.items() if k.endswith("_id") and isinstance(v, str)}
            values += value.values()
        elif isinstance(value, list):
            values += value
    return found
