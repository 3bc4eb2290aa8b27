"""What is made is played by a real browser: every frame where its number says, every sound as long as it is."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil

import made_media as made
import numpy as np
import pytest
from playwright.async_api import async_playwright

from relearn_media.renditions import Rendition, Renditions

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "no browser here; on Debian: apt-get install chromium"

OPENED = """async ([tag, type, bytes]) => {
    const blob = new Blob([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], {type});
    window.media = document.createElement(tag);
    media.src = URL.createObjectURL(blob);
    document.body.append(media);
    await new Promise((done, failed) => {
        media.onloadeddata = done;
        media.onerror = () => failed(media.error.message);
    });
    return [media.duration, media.videoWidth ?? 0, media.videoHeight ?? 0];
}"""
SHOWN = """async seconds => {
    const painted = new Promise(done => media.requestVideoFrameCallback(done));  // "seeked" may come before it
    media.currentTime = seconds;
    await painted;
    const canvas = new OffscreenCanvas(media.videoWidth, media.videoHeight), drawn = canvas.getContext("2d");
    drawn.drawImage(media, 0, 0);
    const pixels = drawn.getImageData(0, 0, canvas.width, canvas.height).data;
    return Array.from(pixels);
}"""


@pytest.fixture
async def page():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield await browser.new_page()
        await browser.close()


async def opened(page, tag, media_type, data):
    """Duration, width and height, as the browser finds them."""
    return await page.evaluate(OPENED, [tag, media_type, base64.b64encode(data).decode()])


async def shown(page, seconds):
    """[h, w, 3] of the picture at an instant."""
    pixels = np.array(await page.evaluate(SHOWN, seconds), np.uint8)
    height = await page.evaluate("media.videoHeight")
    return pixels.reshape(height, -1, 4)[:, :, :3]


@pytest.mark.parametrize("rate", [10, 30])
async def test_a_jump_to_the_middle_of_frame_i_shows_picture_i(rate, page, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(made.video(100, rate=rate))
    rendered = await Renditions().render(source, tmp_path / "made", {Rendition.VIEW})

    duration, width, height = await opened(page, "video", rendered.view.media_type, rendered.view.path.read_bytes())

    assert duration == pytest.approx(100 / rate, abs=0.002)
    assert (width, height) == (made.WIDTH, made.HEIGHT)
    for frame in (0, 1, 57, 58, 99, 20, 9, 10, 11):
        assert made.number_of((await shown(page, (frame + 0.5) / rate))[:, :, 0]) == frame


@pytest.mark.parametrize("turn", [0, 90])
async def test_colours_are_shown_as_they_were(turn, page, tmp_path):
    orange = np.full((made.HEIGHT, made.WIDTH, 3), (210, 120, 40), np.uint8)
    (tmp_path / "source").write_bytes(made.video(3, picture=lambda _: orange, turn=turn))
    rendered = await Renditions().render(tmp_path / "source", tmp_path / "made", {Rendition.VIEW})

    await opened(page, "video", rendered.view.media_type, rendered.view.path.read_bytes())

    colour = (await shown(page, 0.15)).mean(axis=(0, 1))
    np.testing.assert_allclose(colour, (210, 120, 40), atol=4)


async def test_every_sound_is_played_as_it_is_or_as_it_was_made_and_lasts_as_long_as_it_says(page, tmp_path):
    samples = made.tone(seconds=2, channels=2)
    sounds = {
        "wav": made.wav(samples),
        "wav 24 bit": made.sound(samples, format="wav", codec="pcm_s24le", rate=8000),
        "wav floats": made.wav(samples * 2.5),
        "wav a-law": made.sound(samples, format="wav", codec="pcm_alaw", rate=8000),
        "flac": made.sound(samples, format="flac", codec="flac", rate=8000),
        "opus": made.sound(made.tone(seconds=2, rate=48_000), format="ogg", codec="libopus", rate=48_000),
        "mp3": made.sound(samples, format="mp3", codec="libmp3lame", rate=8000),
        "aac": made.sound(samples, format="mp4", codec="aac", rate=8000),
    }
    renditions = Renditions()
    for name, data in sounds.items():
        (tmp_path / name).write_bytes(data)
    rendered = await asyncio.gather(
        *(renditions.render(tmp_path / name, tmp_path / f"{name} made", {Rendition.VIEW}) for name in sounds)
    )

    as_they_are = {name for name, found in zip(sounds, rendered, strict=True) if found.view is None}
    assert as_they_are == {"wav", "wav 24 bit", "flac", "opus"}
    for (name, data), found in zip(sounds.items(), rendered, strict=True):
        made_or_not = (found.view.media_type, found.view.path.read_bytes()) if found.view else None
        duration, _, _ = await opened(page, "audio", *(made_or_not or (found.info.media_type, data)))
        assert duration == pytest.approx(found.info.length_s, abs=0.03), name
