"""The console in front of real services: one task from the page's first call to its answer, and every refusal."""

import time
import uuid

import numpy as np
import pytest
from console_world import LIST_PROJECTS, NEXT_TASK
from services_world import sample_id, services

from relearn_client import NewSample
from relearn_media import encode_png

LABELING = "/relearn.labeling.v1.LabelingService/"
GET_MEDIA = "/relearn.console.v1.MediaService/GetMedia"
PICTURE = encode_png(np.random.default_rng(7).integers(0, 256, size=(20, 30, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def world(console_folder, console_tokens, postgres_server_of_run, kafka_server_of_run, test_ports):
    with services(console_folder, console_tokens, postgres_server_of_run, kafka_server_of_run, test_ports) as world:
        yield world


@pytest.fixture(scope="module")
def shop(world):
    """A project with one picture that waits for an answer."""
    name = world.project()
    world.client.import_samples(name, [NewSample(content=PICTURE, label="boot")], origin="test")
    world.flag(name, PICTURE)
    return name


def until(ask, holds, deadline_s=30):
    give_up = time.monotonic() + deadline_s
    while not holds(answer := ask()):
        assert time.monotonic() < give_up, answer
        time.sleep(0.05)
    return answer


def reason(answer) -> str:
    return answer.json["details"][0]["debug"]["reason"]


def test_a_page_finds_its_task_sees_it_and_answers_it(world, shop):
    browser = world.browser("annotator")

    projects = browser.call(LIST_PROJECTS, {}).json["projects"]
    found = until(lambda: browser.call(NEXT_TASK, {"projectId": shop}), lambda it: it.json.get("labelTask"))
    task = found.json["labelTask"]
    media = browser.call(GET_MEDIA, {"sampleId": task["sampleId"]}).json
    picture = browser.get(media["viewPath"], cookie="")
    submitted = browser.call(
        LABELING + "SubmitAnnotation",
        {
            "labelTaskId": task["labelTaskId"],
            "regions": [{"whole": {}, "label": "shirt"}],
            "requestId": str(uuid.uuid4()),
        },
    )

    assert shop in [project["projectId"] for project in projects]
    assert (media["state"], media["mediaType"], media["width"], media["height"]) == ("STATE_READY", "image/png", 30, 20)
    assert media["peaksPath"] == ""  # what a message doesn't have is written out
    assert (picture.status, picture.body) == (200, PICTURE)
    assert submitted.status == 200, submitted.body


def test_a_service_s_own_refusal_reaches_the_page_with_its_reason(world, shop):
    browser = world.browser("annotator")

    answer = browser.call(LABELING + "ReleaseTask", {"labelTaskId": "nothing", "requestId": str(uuid.uuid4())})

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    detail = answer.json["details"][0]
    assert (detail["type"], detail["debug"]["domain"]) == ("google.rpc.ErrorInfo", "labeling.relearn")


def test_who_may_not_call_a_method_is_told_who_may(world, shop):
    answer = world.browser("annotator").call(LABELING + "ListLabelTasks", {"projectId": shop})

    assert (answer.status, reason(answer)) == (403, "PERMISSION_DENIED")
    assert "allowed: engineer, manager, reviewer, service" in answer.json["message"]


@pytest.mark.parametrize("role", ["reviewer", "manager", "engineer"])
def test_roles_reach_what_their_role_may(world, shop, role):
    browser = world.browser(role)

    assert browser.call(LIST_PROJECTS, {}).status == 200
    assert browser.call(LABELING + "ListLabelTasks", {"projectId": shop}).status == 200
    assert browser.call(GET_MEDIA, {"sampleId": sample_id(shop, PICTURE)}).json["state"] == "STATE_READY"


def test_a_program_calls_with_its_token(world):
    headers = {"authorization": f"Bearer {world.tokens.of('engineer')}"}
    browser = world.browser("annotator")

    assert browser.call(LIST_PROJECTS, {}, **headers).status == 200
    assert browser.call(LIST_PROJECTS, {}, authorization="Bearer nobody").status == 401
    assert browser.call(LIST_PROJECTS, {}, authorization="Basic YTpi").status == 401


@pytest.mark.parametrize("sample", ["", "nonsense", "shop/sample/" + "0" * 64, "../../secret"])
def test_media_of_no_sample_is_an_error_of_the_caller(world, sample):
    answer = world.browser("annotator").call(GET_MEDIA, {"sampleId": sample})

    assert answer.status in (400, 404)
    assert answer.json["message"]


def test_only_people_are_shown_media(world, shop):
    answer = world.browser("service").call(GET_MEDIA, {"sampleId": sample_id(shop, PICTURE)})

    assert (answer.status, reason(answer)) == (403, "PERMISSION_DENIED")


def test_a_service_that_is_away_is_named_and_comes_back_by_itself(world):
    browser = world.browser("manager")
    registry = world.processes["registry"]

    registry.send_signal(19)  # SIGSTOP: it holds its connections and does not answer
    try:
        away = browser.call(LIST_PROJECTS, {}, connect_timeout_ms="300")
    finally:
        registry.send_signal(18)
    back = until(lambda: browser.call(LIST_PROJECTS, {}), lambda it: it.status == 200)

    assert (away.status, reason(away)) == (503, "CALL_TOO_LONG")
    assert "registry" in away.json["message"]
    assert back.json["nextPageToken"] == ""
