"""The page at work on real samples; `RELEARN_PICTURES=docs/images` keeps what it looks like for the README."""

from __future__ import annotations

import io
import os
from pathlib import Path

import av
import pytest
from PIL import Image
from playwright.sync_api import expect

from relearn.registry.v1 import project_pb2

SPAN, SEGMENT = project_pb2.REGION_KIND_SPAN, project_pb2.REGION_KIND_SEGMENT
SIZE = {"width": 1200, "height": 720}
PEOPLE = [  # x, y, width, height, how sure
    (345, 195, 34, 82, 0.94),
    (379, 176, 34, 80, 0.91),
    (590, 150, 31, 84, 0.88),
    (494, 146, 23, 68, 0.71),
    (516, 150, 29, 68, 0.68),
    (416, 200, 36, 60, 0.44),
]

NAMED = [
    ("Senate", "institution", 0.97),
    ("House of Representatives", "institution", 0.93),
    ("American stock", "place", 0.38),
    ("the last session", "date", 0.52),
    ("Holland", "place", 0.81),
]


@pytest.fixture
def keep(tmp_path):
    """Keeps a picture of the page."""
    folder = Path(os.environ.get("RELEARN_PICTURES", tmp_path))

    def keep(desk, name):
        desk.page.mouse.move(5, 5)
        content = Image.open(io.BytesIO(desk.page.screenshot(animations="disabled"))).convert("RGB")
        small(content).save(folder / f"label-{name}.png", optimize=True)

    return keep


def small(picture):
    """In 256 colours: those that cover most, and those that differ most, which are the small signs."""
    palette = Image.new("P", (1, 1))
    most = picture.quantize(160, Image.Quantize.MEDIANCUT).getpalette()[: 3 * 160]
    palette.putpalette(most + picture.quantize(96, Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * 96])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def frame(path, number):
    """One frame of a video as PNG."""
    with av.open(str(path)) as container:
        for at, decoded in enumerate(container.decode(video=0)):
            if at == number:
                out = io.BytesIO()
                decoded.to_image().save(out, "PNG")
                return out.getvalue()
    raise AssertionError(f"no frame {number}")


def beginning(path, frames):
    """The first frames of a video."""
    out = io.BytesIO()
    with av.open(str(path)) as container, av.open(out, "w", format="mp4") as shorter:
        stream = shorter.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for _, decoded in zip(range(frames), container.decode(video=0), strict=False):
            decoded.pts = None
            shorter.mux(stream.encode(decoded.reformat(format="yuv420p")))
        shorter.mux(stream.encode(None))
    return out.getvalue()


def test_people_on_a_picture(world, open_desk, keep, pedestrians):
    occluded = project_pb2.AttributeSpec(name="occluded", values=["no", "partly", "mostly"])
    kinds = (project_pb2.REGION_KIND_BOX, project_pb2.REGION_KIND_POLYGON)
    made = world.project("image", ["person", "bag", "lamp"], *kinds, name="pedestrians", attributes=[occluded])
    world.want(made, frame(pedestrians, 100))
    people = [
        {"box": {"x": x, "y": y, "width": w, "height": h}, "label": "person", "regionId": f"p{x}", "score": score}
        for x, y, w, h, score in PEOPLE
    ]
    desk = open_desk(viewport=SIZE).suggest(*people).open(made)

    desk.press("a", "a", "a", "Tab", "Shift+Tab")

    expect(desk.page.locator(".shape.proposed")).to_have_count(3)
    keep(desk, "picture")


def test_names_in_a_speech(world, open_desk, keep, speeches):
    made = world.project("text", ["person", "place", "institution", "date"], SPAN, name="speeches")
    text = (speeches / "1790_george_washington_n.txt").read_text()
    world.want(made, text.encode())
    spans = [
        {
            "span": {"start": text.index(part), "end": text.index(part) + len(part)},
            "label": label,
            "regionId": part,
            "score": score,
        }
        for part, label, score in NAMED
    ]
    desk = open_desk(viewport=SIZE, color_scheme="light").suggest(*spans).open(made)

    desk.press("a", "a")

    assert desk.selected == ["place"]
    keep(desk, "text")


def test_a_spoken_prompt(world, open_desk, keep, prompts):
    made = world.project("audio", ["speech", "noise"], SEGMENT, name="prompts", transcripts=True)
    world.want(made, (prompts / "tt-weasels.wav").read_bytes())
    desk = open_desk(viewport=SIZE).open(made)
    width = desk.canvas.bounding_box()["width"]

    desk.drag((width * 0.05, 60), (width * 0.45, 60))
    desk.press("v", "t")
    desk.page.keyboard.type("weasels have eaten")
    desk.press("Escape")

    assert desk.labels == ["speech"]
    keep(desk, "sound")


def test_somebody_through_a_video(world, open_desk, keep, pedestrians):
    made = world.project("video", ["person", "bag"], project_pb2.REGION_KIND_TRACK, name="passers-by")
    world.want(made, beginning(pedestrians, 150))
    desk = open_desk(viewport=SIZE)
    desk.page.goto(f"{world.url}/label/{made.name}")
    expect(desk.canvas).to_be_visible(timeout=120_000)  # it is made ready first
    desk.until("document.querySelector('video').readyState >= 2")

    desk.press(*[">"] * 10)
    desk.until("!document.querySelector('video').seeking")
    desk.drag((654, 160), (686, 244))
    desk.press(">", "Tab", *["Shift+ArrowRight"] * 2, *["ArrowRight"] * 6, "Shift+ArrowUp")
    desk.until("!document.querySelector('video').seeking")

    expect(desk.page.locator(".key")).to_have_count(2)
    keep(desk, "video")
