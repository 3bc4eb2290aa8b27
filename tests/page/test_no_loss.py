"""No answer is lost: not to a bad network, a lease that ran out, a session that ended, nor a closed window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect
from samples import picture
from world import LEASE_S

from relearn.registry.v1 import project_pb2

SUBMIT = "**/relearn.labeling.v1.LabelingService/SubmitAnnotation"


@pytest.fixture
def clothes(world):
    made = world.project("image", ["shirt", "boot", "bag"], project_pb2.REGION_KIND_WHOLE)
    world.want(made, *(picture(n, 28, 28) for n in range(20, 25)))
    return made


def task_of(desk):
    """Which picture is shown."""
    return desk.page.locator(".media img").get_attribute("src")


def given_back(desk):
    """What the page says as it gives tasks back, from now on."""
    said = []

    def note(request):
        if "ReleaseTask" in request.url:
            said.append(request.post_data_json)

    desk.page.on("request", note)
    return said


def test_the_next_task_is_there_before_the_answer_has_arrived(world, open_desk, clothes):
    desk = open_desk().open(clothes)
    first = task_of(desk)
    fetched = "performance.getEntriesByType('resource').filter(entry => entry.name.includes('/media/')).length"
    desk.until(f"{fetched} >= 3")
    held: list[Route] = []
    desk.page.route(SUBMIT, lambda route: held.append(route))

    desk.press("2", "Enter")

    expect(desk.page.get_by_text("Sending 1…")).to_be_visible()
    assert task_of(desk) != first
    desk.press("3", "Enter")
    expect(desk.page.get_by_text("2 today")).to_be_visible()
    (route,) = held  # answers go out one by one
    route.continue_()
    desk.page.unroute(SUBMIT)
    said = [answer["regions"][0]["label"] for answer in world.answers(clothes, 2)]
    assert said == ["boot", "bag"]


def test_an_answer_given_offline_arrives_once_when_the_network_is_back(world, open_desk, clothes):
    desk = open_desk().open(clothes)
    desk.expected = ("ERR_INTERNET_DISCONNECTED",)
    desk.page.context.set_offline(True)

    desk.press("2", "Enter")
    expect(desk.page.get_by_text("Offline: 1 kept here")).to_be_visible()
    desk.page.context.set_offline(False)

    (answer,) = world.answers(clothes, 1)
    assert answer["regions"][0]["label"] == "boot"
    expect(desk.page.get_by_text("Offline")).to_have_count(0)
    assert len(world.answers(clothes, 1)) == 1


def test_an_answer_whose_reply_was_lost_is_given_once(world, open_desk, clothes):
    desk = open_desk().open(clothes)
    desk.expected = ("ERR_FAILED",)
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.request.post_data or "")
        route.fetch()  # the service has it, the page never hears
        return route.abort()

    desk.page.route(SUBMIT, lose)
    desk.press("2", "Enter")

    expect(desk.page.get_by_text("Offline")).to_have_count(0)
    expect(desk.page.get_by_text("Sending")).to_have_count(0)
    assert len(world.answers(clothes, 1)) == 1
    assert lost


def test_an_answer_survives_a_window_that_is_closed_before_it_went_out(world, open_desk, clothes):
    desk = open_desk().open(clothes)
    desk.expected = ("ERR_FAILED",)
    desk.page.route(SUBMIT, lambda route: route.abort())
    desk.press("3", "Enter")
    expect(desk.page.get_by_text("Offline: 1 kept here")).to_be_visible()

    desk.page.unroute(SUBMIT)
    desk.page.goto(world.url)

    (answer,) = world.answers(clothes, 1)
    assert answer["regions"][0]["label"] == "bag"


def test_a_refused_answer_comes_back_to_the_screen_as_it_was_with_words(world, open_desk, clothes):
    desk = open_desk().open(clothes)
    desk.expected = ("400",)
    first = task_of(desk)
    world.clock.advance(seconds=LEASE_S + 1)

    desk.press("2", "Enter")

    expect(desk.page.get_by_role("alert")).to_contain_text("longer than this task was kept for you")
    assert task_of(desk) == first
    expect(desk.page.locator(".class[aria-pressed=true] .name")).to_have_text("boot")
    desk.page.get_by_role("button", name="Go on with the next").click()
    expect(desk.canvas).to_be_visible()


def test_a_session_that_ended_asks_for_the_token_again_and_the_answer_goes_out(world, open_desk, clothes):
    desk = open_desk().open(clothes)
    desk.expected = ("401",)
    desk.page.context.clear_cookies()

    desk.press("2", "Enter")
    desk.page.get_by_label("Personal access token").fill(world.token(desk.subject))
    desk.page.get_by_role("button", name="Sign in").click()

    (answer,) = world.answers(clothes, 1)
    assert answer["regions"][0]["label"] == "boot"


def test_a_task_is_skipped_with_a_reason_and_the_next_one_is_there(open_desk, clothes):
    desk = open_desk().open(clothes)
    first = task_of(desk)
    asked = given_back(desk)

    desk.press("s", "2")

    desk.until(f"!document.querySelector('.media img')?.src.includes('{first}')")
    expect(desk.canvas).to_be_visible()
    assert asked[0]["reason"] == "SKIP_REASON_UNCLEAR"


def test_a_problem_is_reported_in_words(open_desk, clothes):
    desk = open_desk().open(clothes)
    asked = given_back(desk)

    desk.press("x")
    desk.page.keyboard.type("The picture is upside down.")
    desk.page.get_by_role("button", name="Report", exact=True).last.click()

    expect(desk.page.get_by_role("dialog")).to_have_count(0)
    assert asked[0]["comment"] == "The picture is upside down."
