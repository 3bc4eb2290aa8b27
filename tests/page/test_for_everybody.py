"""Signing in, the first look, and a page that everybody can use: also by ear, by keyboard alone, and in daylight."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from samples import TEXT, picture, sound, video

from relearn.registry.v1 import project_pb2

KINDS = {
    "image": (project_pb2.REGION_KIND_BOX, picture),
    "text": (project_pb2.REGION_KIND_SPAN, TEXT.encode),
    "audio": (project_pb2.REGION_KIND_SEGMENT, sound),
    "video": (project_pb2.REGION_KIND_TRACK, video),
}


def project_of(world, kind):
    region, content = KINDS[kind]
    made = world.project(kind, ["car", "person", "bicycle"], region)
    world.want(made, content())
    return made


def test_a_wrong_token_is_told_in_words(world, open_desk):
    desk = open_desk(signed_in=False)
    desk.expected = ("401",)
    desk.page.goto(world.url)

    desk.page.get_by_label("Personal access token").fill("relearn_not_a_token_of_anybody_at_all_0000000")
    desk.page.get_by_role("button", name="Sign in").click()

    expect(desk.page.get_by_role("alert")).to_contain_text("This token is not known here")
    assert desk.findings() == []


def test_the_token_is_out_of_reach_of_scripts(open_desk):
    desk = open_desk()

    kept = desk.page.evaluate(
        "document.cookie + JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})"
    )

    assert "token" not in kept.lower()


def test_the_queues_say_what_waits_lead_to_the_work_and_remember_it(world, open_desk):
    made = project_of(world, "image")
    desk = open_desk()
    desk.page.goto(world.url)
    queue = desk.page.get_by_role("listitem").filter(has=desk.page.get_by_role("heading", name=made.name))

    expect(queue.locator("dl div", has_text="for you").locator("dd")).to_have_text("1")
    queue.get_by_role("link", name="Label", exact=True).click()
    expect(desk.canvas).to_be_visible()
    desk.press("2", "n", "Enter")
    world.answers(made, 1)
    desk.page.goto(f"{world.url}/answers/{made.name}")

    expect(desk.page.get_by_role("cell", name="person")).to_be_visible()
    expect(desk.page.get_by_role("cell", name="Counts")).to_be_visible()
    assert desk.findings() == []
    desk.page.get_by_role("link", name="Relearn labeling").click()
    expect(queue.locator("dl div", has_text="you today").locator("dd")).to_have_text("1")


def test_nothing_to_do_is_said_with_what_comes_next(world, open_desk):
    made = world.project("image", ["car", "person"], project_pb2.REGION_KIND_WHOLE)
    desk = open_desk()
    desk.page.goto(f"{world.url}/label/{made.name}")

    expect(desk.page.get_by_role("heading", name="Everything here is answered")).to_be_visible()
    assert desk.findings() == []
    world.want(made, picture(31))
    expect(desk.canvas).to_be_visible()  # by itself


def test_whoever_is_new_is_shown_the_keys_one_by_one(world, open_desk):
    made = project_of(world, "image")
    desk = open_desk()
    desk.page.evaluate(f"localStorage.removeItem('relearn/tour/{desk.subject}')")
    desk.open(made)
    tour = desk.page.get_by_role("note")

    expect(tour).to_contain_text("choose the class")
    desk.press("2")
    expect(tour).to_contain_text("make a region")
    desk.press("n")
    expect(tour).to_contain_text("go through the regions")
    desk.page.get_by_role("button", name="I know these").click()
    expect(tour).to_have_count(0)
    desk.page.reload()
    expect(desk.canvas).to_be_visible()
    expect(tour).to_have_count(0)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(world, open_desk, kind, scheme):
    desk = open_desk(color_scheme=scheme, reduced_motion="reduce").open(project_of(world, kind))

    found = desk.findings()
    desk.press("n")
    found += desk.findings()
    desk.press("?")
    found += desk.findings()
    desk.press("Escape", "s")
    found += desk.findings()

    assert found == []


def test_the_selected_region_is_announced(world, open_desk):
    desk = open_desk().open(project_of(world, "image"))

    desk.press("2", "n")

    expect(desk.page.locator("[aria-live=polite]", has_text="person")).to_contain_text("pixels at")
    expect(desk.canvas).to_have_attribute(
        "aria-label", "Picture with 1 regions. " + desk.page.locator("p.unseen").inner_text()
    )


def test_the_panel_is_reached_and_left_by_keys(world, open_desk):
    desk = open_desk().open(project_of(world, "image"))

    desk.press("Escape", "Tab", "Space", "Escape", "n")

    assert desk.labels == ["person"]


def test_no_class_is_told_by_colour_alone(world, open_desk):
    desk = open_desk().open(project_of(world, "image"))

    desk.press("3", "n")

    assert desk.page.locator(".shape text").all_text_contents() == ["bicycle"]


def test_whoever_runs_a_queue_reads_how_it_does(world, open_desk):
    made = world.project("image", ["shirt", "boot"], project_pb2.REGION_KIND_WHOLE)
    world.want(made, *(picture(n, 28, 28) for n in range(40, 43)))
    annotator = open_desk().open(made)
    annotator.press("1", "Enter")
    expect(annotator.page.get_by_text("1 today")).to_be_visible()
    annotator.press("2", "Enter")
    world.answers(made, 2)
    manager = open_desk(role="manager")
    manager.page.goto(f"{world.url}/report/{made.name}/7")

    figures = manager.page.locator(".figures")
    expect(figures.locator("div", has_text="Tasks that wait").locator("dd").first).to_have_text("1")
    expect(figures.locator("div", has_text="Labels").locator("dd").first).to_have_text("2")
    expect(manager.page.get_by_role("row", name=annotator.subject)).to_be_visible()
    expect(manager.page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "page")
    assert manager.findings() == []


def test_two_thousand_regions_are_drawn_and_gone_through(world, open_desk):
    made = project_of(world, "image")
    desk = open_desk()
    regions = [
        {"box": {"x": 12 * (n % 50), "y": 11 * (n // 50), "width": 9, "height": 8}, "label": "car", "regionId": f"r{n}"}
        for n in range(2000)
    ]

    desk.suggest(*regions).open(made)

    expect(desk.page.locator(".shape")).to_have_count(2000)
    desk.press("Shift+Tab", "ArrowLeft", "Shift+a", "Enter")

    (answer,) = world.answers(made, 1)
    assert len(answer["regions"]) == 2000
    assert [region["origin"] for region in answer["regions"]].count("REGION_ORIGIN_EDITED") == 1
