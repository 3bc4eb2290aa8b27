"""One task after the other, as an annotator does them: by keyboard, without a surprise, without a loss."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from samples import picture

from relearn.registry.v1 import project_pb2

WHOLE, BOX, POLYGON = (
    project_pb2.REGION_KIND_WHOLE,
    project_pb2.REGION_KIND_BOX,
    project_pb2.REGION_KIND_POLYGON,
)


@pytest.fixture
def boxes(world):
    """A project of boxes and outlines with three pictures to label."""
    made = world.project("image", ["car", "person", "bicycle"], BOX, POLYGON)
    world.want(made, *(picture(n) for n in range(3)))
    return made


@pytest.fixture
def clothes(world):
    """A project of one class a picture, with three to label."""
    made = world.project("image", ["shirt", "boot", "bag"], WHOLE)
    world.want(made, *(picture(n, 28, 28) for n in range(10, 13)))
    return made


def box(region):
    return {name: round(value, 2) for name, value in region["box"].items()}


def test_a_whole_task_is_done_without_the_mouse(world, open_desk, boxes):
    desk = open_desk().open(boxes)

    desk.press("2", "n", "Shift+ArrowRight", "ArrowDown", "Shift+l", "k")  # a person, moved and stretched
    desk.press("b", "3", "n", "Tab", "1")  # a bicycle; then the person is a car
    desk.press("b", "n", "Delete", "Enter")

    (answer,) = world.answers(boxes, 1)
    first, second = answer["regions"]
    assert (first["label"], second["label"]) == ("car", "bicycle")
    moved = {name: box(first)[name] - box(second)[name] for name in ("x", "y", "width", "height")}
    assert moved == pytest.approx({"x": 10, "y": 1, "width": 10, "height": 1})
    assert first["origin"] == "REGION_ORIGIN_DRAWN"
    assert answer["labelSetVersion"] == 1
    assert float(answer["timeSpent"].rstrip("s")) >= 0


def test_a_class_is_one_key_and_the_answer_is_another(world, open_desk, clothes):
    desk = open_desk().open(clothes)

    desk.press("2", "Enter")
    expect(desk.page.get_by_text("1 today")).to_be_visible()
    desk.press("3", "1", "Enter")

    answers = world.answers(clothes, 2)
    assert [region["label"] for answer in answers for region in answer["regions"]] == ["boot", "shirt"]


def test_an_answer_without_a_class_is_asked_for(open_desk, clothes):
    desk = open_desk().open(clothes)

    desk.press("Enter")

    expect(desk.message).to_have_text("Choose a class first: press its number.")


def test_while_drawing_a_class_key_is_about_the_next_region_and_while_selecting_about_the_selected(open_desk, boxes):
    desk = open_desk().open(boxes)

    desk.drag((300, 200), (380, 260))
    desk.press("2")
    desk.drag((500, 300), (560, 380))
    assert desk.labels == ["car", "person"]

    desk.press("Tab", "3")
    assert desk.labels == ["bicycle", "person"]
    desk.press("b", "1")
    assert desk.labels == ["bicycle", "person"]


def test_enter_closes_an_open_outline_before_it_gives_the_answer(open_desk, boxes):
    desk = open_desk().open(boxes)
    frame = desk.canvas.bounding_box()

    desk.press("p")
    for x, y in ((300, 200), (420, 220), (350, 330)):
        desk.page.mouse.click(frame["x"] + x, frame["y"] + y)
    desk.press("Enter")

    assert desk.labels == ["car"]
    expect(desk.page.get_by_text("0 today")).to_be_visible()
    desk.press("Enter")
    expect(desk.page.get_by_text("1 today")).to_be_visible()


def test_nothing_marked_is_asked_about_once(world, open_desk, boxes):
    desk = open_desk().open(boxes)

    desk.press("Enter")
    expect(desk.message).to_have_text("Nothing is marked. Enter again says that there is nothing to mark.")
    desk.press("Enter")

    (answer,) = world.answers(boxes, 1)
    assert "regions" not in answer


def test_undo_goes_all_the_way_back_and_redo_all_the_way_forth(open_desk, boxes):
    desk = open_desk().open(boxes)
    desk.press("n", "ArrowRight", "2", "b", "n", "Delete", "Tab", "Delete")
    assert desk.labels == []

    desk.press("Control+z", "Control+z")
    assert desk.labels == ["person", "person"]
    desk.press(*["Control+z"] * 9)
    assert desk.labels == []
    desk.press(*["Control+Shift+z"] * 3)
    assert desk.labels == ["person"]


def test_a_draft_and_its_undo_survive_a_reload_and_stay_with_their_task(open_desk, boxes):
    desk = open_desk().open(boxes)
    desk.press("n", "Shift+ArrowLeft", "b", "2", "n")
    before = desk.shapes()

    desk.page.reload()
    expect(desk.rows).to_have_count(2)
    assert desk.shapes() == before
    desk.press("Control+z")
    expect(desk.rows).to_have_count(1)
    desk.press("Control+Shift+z", "Enter")

    expect(desk.page.get_by_text("1 today")).to_be_visible()
    expect(desk.rows).to_have_count(0)
    desk.press("Control+z")
    expect(desk.rows).to_have_count(0)


def test_a_region_is_in_pixels_of_the_picture_wherever_it_was_drawn(world, open_desk, boxes):
    desk = open_desk(device_scale_factor=2).open(boxes)
    frame = desk.canvas.bounding_box()
    readout = desk.page.locator(".readout")

    def pointed_at() -> list[int]:
        """Pixel of the picture under the mouse."""
        return [int(value) for value in re.findall(r"\d+", readout.inner_text())[:2]]

    desk.page.mouse.move(frame["x"] + 400, frame["y"] + 300)
    place = pointed_at()

    desk.page.mouse.wheel(0, -400)

    assert pointed_at() == place  # the place under the cursor stays
    desk.press("b")
    desk.drag((400, 300), (500, 360))
    (drawn,) = desk.shapes()
    scale = desk.page.evaluate("new DOMMatrix(getComputedStyle(document.querySelector('.media')).transform).a")
    assert (drawn["width"], drawn["height"]) == pytest.approx((100 / scale, 60 / scale), abs=1e-3)
    assert [drawn["x"], drawn["y"]] == pytest.approx(place, abs=0.51)
    desk.press("Enter")
    (answer,) = world.answers(boxes, 1)
    assert answer["regions"][0]["box"] == pytest.approx(drawn)


def test_going_through_the_regions_brings_each_into_sight(open_desk, boxes):
    desk = open_desk().open(boxes)
    desk.drag((120, 120), (160, 160))
    desk.drag((800, 600), (840, 640))
    frame = desk.canvas.bounding_box()
    desk.page.mouse.move(frame["x"] + 130, frame["y"] + 130)
    for _ in range(6):
        desk.page.mouse.wheel(0, -400)

    desk.press("Tab", "Tab")

    inside = "r => { const b = r.getBoundingClientRect(); return b.left >= 0 && b.top >= 46 && b.right <= 980 }"
    assert desk.page.locator(".shape.chosen > rect").evaluate(inside)


def test_several_regions_are_moved_together(open_desk, boxes):
    desk = open_desk().open(boxes)
    desk.drag((300, 200), (340, 240))
    desk.drag((500, 300), (560, 380))
    before = desk.shapes()
    frame = desk.canvas.bounding_box()

    desk.press("v")
    desk.page.mouse.click(frame["x"] + 320, frame["y"] + 220)
    desk.page.keyboard.down("Shift")
    desk.page.mouse.click(frame["x"] + 530, frame["y"] + 340)
    desk.page.keyboard.up("Shift")
    desk.drag((320, 220), (350, 250))

    moved = [round(after["x"] - old["x"], 3) for old, after in zip(before, desk.shapes(), strict=True)]
    assert moved[0] == moved[1] > 0


def test_a_box_is_reshaped_by_its_handles_and_never_leaves_the_picture(open_desk, boxes):
    desk = open_desk().open(boxes)
    desk.drag((300, 200), (380, 260))
    desk.press("v")
    desk.page.locator("[data-handle=se]").hover()
    desk.page.mouse.down()
    desk.page.mouse.move(2000, 2000)
    desk.page.mouse.up()

    (shape,) = desk.shapes()
    assert (shape["x"] + shape["width"], shape["y"] + shape["height"]) == pytest.approx((640, 480))


SUGGESTED = [
    {"box": {"x": 60, "y": 50, "width": 90, "height": 70}, "label": "car", "regionId": "a", "score": 0.91},
    {"box": {"x": 260, "y": 150, "width": 60, "height": 80}, "label": "person", "regionId": "b", "score": 0.64},
    {"box": {"x": 400, "y": 250, "width": 60, "height": 80}, "label": "person", "regionId": "c", "score": 0.32},
]


def test_suggestions_are_proposals_until_somebody_touches_them(world, open_desk, boxes):
    desk = open_desk().suggest(*SUGGESTED).open(boxes)
    expect(desk.page.locator(".shape.proposed")).to_have_count(3)
    assert desk.page.locator(".shape text").all_text_contents() == ["car 91%", "person 64%", "person 32%"]

    desk.press("a", "ArrowRight", "Enter")  # the first is accepted, the second moved
    expect(desk.message).to_have_text("One suggestion is not accepted. Enter again gives the answer without.")
    desk.press("Enter")

    (answer,) = world.answers(boxes, 1)
    told = [(region["label"], region["origin"], region["score"]) for region in answer["regions"]]
    assert told == [("car", "REGION_ORIGIN_ACCEPTED", 0.91), ("person", "REGION_ORIGIN_EDITED", 0.64)]
    assert {region["modelVersionId"] for region in answer["regions"]} == {"m/model/7"}


def test_all_suggestions_are_accepted_at_once(world, open_desk, boxes):
    desk = open_desk().suggest(*SUGGESTED).open(boxes)

    desk.press("Shift+a", "Enter")

    (answer,) = world.answers(boxes, 1)
    assert {region["origin"] for region in answer["regions"]} == {"REGION_ORIGIN_ACCEPTED"}
    assert len(answer["regions"]) == 3


def test_help_is_drawn_from_the_key_map_and_every_key_in_it_does_no_harm(open_desk, boxes):
    desk = open_desk().suggest(*SUGGESTED).open(boxes)
    desk.press("?")
    keys = desk.page.locator("dialog dt kbd").all_inner_texts()
    desk.press("Escape")
    names = {"←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown", "Esc": "Escape", "Del": "Delete"}

    walked = [key for key in keys if key not in ("Enter", "Ctrl Enter", "S", "X", "?") and "1" not in key]
    for key in walked:
        parts = [names.get(part, part) for part in key.replace("Ctrl", "Control").split(" ")]
        desk.press("+".join(part.lower() if len(part) == 1 else part for part in parts))

    assert len(walked) > 20
    expect(desk.canvas).to_be_visible()
