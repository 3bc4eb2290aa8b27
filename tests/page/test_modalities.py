"""Text, sound and video: places in units of the media, and what a labeler needs to find them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from samples import BAR, BARS, TEXT, VIDEO_FPS, VIDEO_FRAMES, sound, video

from relearn.registry.v1 import project_pb2

WHOLE, TRACK, SPAN, SEGMENT = (
    project_pb2.REGION_KIND_WHOLE,
    project_pb2.REGION_KIND_TRACK,
    project_pb2.REGION_KIND_SPAN,
    project_pb2.REGION_KIND_SEGMENT,
)
COLOUR = project_pb2.AttributeSpec(name="certainty", values=["sure", "unsure"], classes=["person"], required=True)


@pytest.fixture
def speech(world):
    made = world.project("text", ["person", "place"], SPAN, attributes=[COLOUR])
    world.want(made, TEXT.encode())
    return made


@pytest.fixture
def calls(world):
    made = world.project("audio", ["speech", "noise"], SEGMENT, transcripts=True)
    world.want(made, sound())
    return made


@pytest.fixture
def street(world):
    made = world.project("video", ["car", "person"], TRACK, SEGMENT)
    world.want(made, video())
    return made


def word(desk, text, nth=0):
    """The middle of a word's first and last letter, on the screen."""
    script = """([text, nth]) => {
        const node = document.querySelector('.block').firstChild
        let at = -1
        for (let i = 0; i <= nth; i++) at = node.data.indexOf(text, at + 1)
        const middle = place => {
            const range = new Range(); range.setStart(node, place); range.setEnd(node, place + 1)
            const box = range.getBoundingClientRect()
            return [box.x + box.width / 2, box.y + box.height / 2].map(Math.round)
        }
        return [middle(at), middle(at + text.length - 1)]
    }"""
    return desk.page.evaluate(script, [text, nth])


def mark(desk, text, nth=0):
    (x0, y0), (x1, y1) = word(desk, text, nth)
    mouse = desk.page.mouse
    mouse.move(x0, y0)
    mouse.down()
    mouse.move(x1, y1)
    mouse.up()


def test_a_span_snaps_to_words_and_counts_in_utf16_also_after_a_globe(world, open_desk, speech):
    desk = open_desk().open(speech)

    desk.press("2")
    mark(desk, "listene", nth=1)
    mark(desk, "erlin")

    assert desk.labels == ["place", "place"]
    desk.press("Enter")
    (answer,) = world.answers(speech, 1)
    found = sorted((region["span"]["start"], region["span"]["end"]) for region in answer["regions"])
    units = TEXT.encode("utf-16-le")
    assert [units[2 * start : 2 * end].decode("utf-16-le") for start, end in found] == ["Berlin", "listened"]


def test_spans_may_overlap_and_each_can_be_picked(world, open_desk, speech):
    desk = open_desk().open(speech)
    desk.press("2")
    mark(desk, "President Kennedy stood")
    mark(desk, "Kennedy")

    (x, y), _ = word(desk, "Kennedy")
    place = desk.page.locator(".row.chosen .place")
    expect(place).to_have_text("Kennedy")
    desk.page.mouse.click(x + 4, y)
    expect(place).to_have_text("President Kennedy stood")
    desk.page.mouse.click(x + 4, y)
    expect(place).to_have_text("Kennedy")
    desk.page.mouse.click(x + 4, y)

    desk.press("l", "Enter")  # one word longer
    (answer,) = world.answers(speech, 1)
    first = min(answer["regions"], key=lambda region: region["span"]["start"])
    assert TEXT[first["span"]["start"] : first["span"]["end"]] == "President Kennedy stood in"


def test_a_required_attribute_is_asked_for_and_said_by_keys(world, open_desk, speech):
    desk = open_desk().open(speech)

    desk.press("n", "Enter")
    expect(desk.message).to_have_text("Say “certainty” of this person first: press t.")
    desk.press("t", "Space", "Escape", "Enter")

    (answer,) = world.answers(speech, 1)
    assert answer["regions"][0]["attributes"] == [{"name": "certainty", "value": "sure"}]


def test_a_text_of_a_megabyte_is_opened_marked_and_scrolled(world, open_desk):
    made = world.project("text", ["person", "place"], SPAN)
    long = TEXT * (1_000_000 // len(TEXT))
    world.want(made, long.encode())
    desk = open_desk().open(made)

    real = (
        "[...document.querySelectorAll('.block')].filter(block => block.getBoundingClientRect().height !== 1000).length"
    )
    laid_out = desk.page.evaluate(real)
    desk.page.evaluate("document.querySelector('.scroller').scrollTop = 1e9")
    desk.until("document.querySelector('.scroller').scrollTop > 100000")
    desk.press("2", "n", "Enter")

    (answer,) = world.answers(made, 1)
    assert answer["regions"][0]["span"]["start"] > 900_000
    assert 0 < laid_out < 30  # of some five hundred


def test_a_segment_is_drawn_moved_and_described_in_seconds(world, open_desk, calls):
    desk = open_desk().open(calls)
    width = desk.canvas.bounding_box()["width"]

    desk.drag((width / 6, 60), (width / 3, 60))  # second 1 to 2 of 6
    desk.press("v", "ArrowRight", "Shift+l", "t")
    desk.page.keyboard.type("hello s")  # keys in a field are letters
    desk.press("Escape", "Enter")

    (answer,) = world.answers(calls, 1)
    (region,) = answer["regions"]
    assert region["segment"]["startS"] == pytest.approx(1.01, abs=0.02)
    assert region["segment"]["endS"] == pytest.approx(2.11, abs=0.02)
    assert region["transcript"] == "hello s"


def test_a_segment_is_made_at_the_playhead_and_played_over_and_over(world, open_desk, calls):
    desk = open_desk().open(calls)

    desk.press("ArrowRight", "n", "ArrowRight")
    assert desk.labels == ["speech"]
    desk.press("Escape", "ArrowRight", "Tab", "o", "Space")

    desk.page.evaluate(
        """() => {
            const sound = document.querySelector('audio')
            window.rounds = 0
            let last = 0
            const look = () => {
                if (sound.currentTime < last) window.rounds += 1
                last = sound.currentTime
                requestAnimationFrame(look)
            }
            look()
        }"""
    )
    desk.press("]", "]")
    assert desk.page.evaluate("document.querySelector('audio').playbackRate") == 1.5
    desk.until("window.rounds >= 2 && document.querySelector('audio').currentTime < 1.8")
    desk.press("Space")
    desk.until("document.querySelector('audio').paused")


def test_sound_has_peaks_and_a_spectrogram(open_desk, calls):
    desk = open_desk().open(calls)

    expect(desk.page.locator(".wave")).to_be_visible()
    drawn = desk.page.locator(".wave").get_attribute("d")
    assert len(drawn) > 1000
    assert desk.page.locator(".spectrum").get_attribute("href").startswith("blob:")


def frame_on_the_screen(desk):
    """The number that the picture itself shows, as bars in binary."""
    script = f"""() => {{
        const video = document.querySelector('video'), canvas = document.createElement('canvas')
        canvas.width = video.videoWidth; canvas.height = video.videoHeight
        const context = canvas.getContext('2d', {{ willReadFrequently: true }}); context.drawImage(video, 0, 0)
        const scale = canvas.width / 480
        let number = 0
        for (let bar = 0; bar < {BARS}; bar++) {{
            const [x, y] = [(bar + .5) * {BAR} * scale, {BAR} / 2 * scale]
            if (context.getImageData(x, y, 1, 1).data[0] > 127) number |= 1 << bar
        }}
        return number
    }}"""
    return desk.page.evaluate(script)


def test_a_step_is_one_frame_and_the_picture_is_that_frame(open_desk, street):
    desk = open_desk().open(street)
    desk.until("document.querySelector('video').readyState >= 2")
    output = desk.page.locator(".transport output").first

    for key, frame in ((".", 1), (".", 2), (">", 12), (",", 11), (".", 12), (".", 13), ("<", 3)):
        desk.press(key)
        expect(output).to_contain_text(f"frame {frame}")
        desk.until("!document.querySelector('video').seeking")
        assert frame_on_the_screen(desk) == frame


def test_a_video_that_failed_to_come_is_fetched_again(open_desk, street):
    desk = open_desk()
    desk.expected = ("ERR_FAILED",)
    failed = []

    def fail_once(route):
        if failed:
            return route.continue_()
        failed.append(route.request.url)
        return route.abort()

    desk.page.route("**/media/**", fail_once)
    desk.open(street)

    desk.until("document.querySelector('video').readyState >= 2")
    assert len(failed) == 1


def test_a_track_has_keyframes_and_moves_between_them(world, open_desk, street):
    desk = open_desk().open(street)
    desk.until("document.querySelector('video').readyState >= 2")

    desk.drag((200, 200), (300, 260))
    desk.press(">", "Tab", "Shift+ArrowRight", "Shift+ArrowRight")  # twenty pixels in ten frames
    desk.press("<", *["."] * 5)
    expect(desk.page.locator(".transport output").first).to_contain_text("frame 5")
    half = desk.shapes()[0]["x"]
    desk.press(">", "h")  # out of sight from frame 15 on
    expect(desk.page.locator(".shape")).to_have_count(0)
    desk.press("q", "Enter")

    (answer,) = world.answers(street, 1)
    keyframes = answer["regions"][0]["track"]["keyframes"]
    assert [(key.get("frame", 0), key.get("hidden", False)) for key in keyframes] == [
        (0, False),
        (10, False),
        (15, True),
    ]
    assert keyframes[1]["box"]["x"] - keyframes[0]["box"]["x"] == pytest.approx(20)
    assert half == pytest.approx(keyframes[0]["box"]["x"] + 10)


def test_going_to_a_track_or_segment_shows_where_it_is(open_desk, street):
    desk = open_desk().open(street)
    desk.until("document.querySelector('video').readyState >= 2")
    output = desk.page.locator(".transport output").first
    desk.press(">", ">")
    desk.drag((200, 200), (300, 260))  # a track that begins in frame 20
    desk.press("Escape", "<", "<")
    expect(desk.page.locator(".shape")).to_have_count(0)

    desk.press("Tab")

    expect(output).to_contain_text("frame 20")
    expect(desk.page.locator(".shape.chosen")).to_have_count(1)
    assert VIDEO_FRAMES / VIDEO_FPS == 4
