"""What people see of samples, made by real child processes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import av
import made_media as made
import numpy as np
import pytest
from PIL import Image

from relearn_media import AudioLimits, MediaLimits, MediaRefused, Modality, VideoLimits
from relearn_media.renditions import (
    Budget,
    RenderCrashed,
    RenderFailed,
    RenderOutOfMemory,
    RenderTimedOut,
    RenderTooLarge,
    Rendition,
    Renditions,
    forget_unfinished,
    kept,
)

SEEN_OF_SOUND = {"thumbnail", "peaks", "spectrogram"}


@pytest.fixture
def put(tmp_path):
    def put(data, name="sample"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return put


def numbers(path):
    """The number that each picture of a video carries."""
    with av.open(str(path)) as container:
        return [made.number_of(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def keyframes(path):
    with av.open(str(path)) as container:
        return [packet.is_keyframe for packet in container.demux(video=0) if packet.size]


async def test_every_kind_of_media_gets_what_people_need_to_see_it(put, tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (900, 300), (250, 0, 0)).save(picture, "JPEG", exif=_turned_exif())
    samples = {
        "picture": (picture.getvalue(), {"thumbnail"}),
        "text": ("Größe \U0001f600".encode(), set()),
        "sound": (made.wav(made.tone(seconds=1)), SEEN_OF_SOUND),
        "old sound": (
            made.wav(made.tone(seconds=1, rate=3000), rate=3000),
            {"view", "thumbnail", "peaks", "spectrogram"},
        ),
        "silent video": (made.video(), {"view", "thumbnail"}),
        "video": (made.video(sound=made.tone(seconds=3)), {"view", "thumbnail", "peaks"}),
    }

    async def render(name, data):
        return await Renditions().render(put(data, name), tmp_path / f"{name} made")

    rendered = await asyncio.gather(*(render(name, data) for name, (data, _) in samples.items()))

    for found, (_, expected) in zip(rendered, samples.values(), strict=True):
        assert {what for what in ("view", "thumbnail", "peaks", "spectrogram") if getattr(found, what)} == expected
    assert (rendered[0].info.width, rendered[0].info.height) == (300, 900)  # upright
    with Image.open(rendered[0].thumbnail.path) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (107, 320))
    assert rendered[1].info.code_units == 8


def _turned_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    "how",
    [
        {"codec": "libx264"},
        {"codec": "libx264", "format": "matroska", "rate": 24},
        {"codec": "mpeg4", "format": "avi"},
        {"codec": "libx264", "format": "avi"},  # reordered pictures in a container that knows no times of showing
        {"codec": "libvpx", "format": "webm", "rate": 30},
    ],
    ids=str,
)
async def test_frame_i_of_the_view_is_picture_i_of_the_video(how, put, tmp_path):
    rendered = await Renditions().render(put(made.video(200, **how)), tmp_path / "made", {Rendition.VIEW})

    assert rendered.info.frames == 200
    assert rendered.info.frame_rate == how.get("rate", 10)
    assert numbers(rendered.view.path) == list(range(200))
    assert all(any(keyframes(rendered.view.path)[at : at + 10]) for at in range(190))


async def test_of_uneven_pictures_each_frame_shows_the_one_of_its_time(put, tmp_path):
    times = [0.0, 0.05, 0.1, 0.35, 0.4, 0.9]

    rendered = await Renditions().render(put(made.video(6, times=times)), tmp_path / "made", {Rendition.VIEW})

    shown = numbers(rendered.view.path)
    assert rendered.info.frame_rate == 20
    assert len(shown) == rendered.info.frames
    expected = [max(number for number, time in enumerate(times) if time <= frame / 20 + 1e-9) for frame in range(19)]
    assert shown[:19] == expected


@pytest.mark.parametrize("turn", [90, 180, 270])
async def test_a_turned_video_is_shown_upright(turn, put, tmp_path):
    rendered = await Renditions().render(put(made.video(turn=turn)), tmp_path / "made")

    with av.open(str(rendered.view.path)) as container:
        last = list(container.decode(video=0))[-1].to_ndarray(format="gray")
    upright = np.rot90(made.striped(29), turn // 90)
    assert last.shape == upright.shape == (rendered.info.height, rendered.info.width)
    assert np.abs(last.astype(int) - upright).mean() < 20
    with Image.open(rendered.thumbnail.path) as thumbnail:
        assert thumbnail.size == (rendered.info.width, rendered.info.height)


@pytest.mark.parametrize(
    "how", [{}, {"format": "avi", "codec": "mpeg4"}, {"format": "webm", "codec": "libvpx"}], ids=str
)
async def test_a_video_is_remembered_by_its_middle(how, put, tmp_path):
    rendered = await Renditions().render(put(made.video(100, **how)), tmp_path / "made", {Rendition.THUMBNAIL})

    with Image.open(rendered.thumbnail.path) as thumbnail:
        assert made.number_of(np.asarray(thumbnail.convert("L"))) == pytest.approx(50, abs=2)


async def test_the_sound_of_a_view_is_that_of_the_video_at_its_time(put, tmp_path):
    beep = made.tone(seconds=3)
    beep[:8000], beep[16_000:] = 0, 0  # from second 1 to second 2

    rendered = await Renditions().render(put(made.video(sound=beep)), tmp_path / "made")

    with av.open(str(rendered.view.path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=8000)
        blocks = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    loud = np.flatnonzero(np.abs(np.concatenate(blocks)) > 0.2) / 8000
    assert (loud[0], loud[-1]) == (pytest.approx(1, abs=0.05), pytest.approx(2, abs=0.05))
    pairs = np.array(json.loads(rendered.peaks.path.read_text()))
    peaks = np.flatnonzero(pairs[:, 1] > 0.2) / 2000 * rendered.info.length_s
    assert (peaks[0], peaks[-1]) == (pytest.approx(1, abs=0.05), pytest.approx(2, abs=0.05))


async def test_a_real_video_is_as_long_as_it_is_and_no_longer_than_is_allowed(pedestrians):
    limits = MediaLimits(video=VideoLimits(max_frames=795))

    info = await Renditions(limits=limits).probe(pedestrians)

    assert (info.media_type, info.modality) == ("video/x-msvideo", Modality.VIDEO)
    assert (info.width, info.height, info.frames, info.frame_rate, info.length_s) == (768, 576, 795, 10, 79.5)
    with pytest.raises(MediaRefused) as refused:
        await Renditions(limits=MediaLimits(video=VideoLimits(max_frames=794))).probe(pedestrians)
    assert refused.value.reason == "VIDEO_TOO_LONG"


async def test_a_real_prompt_is_played_as_it_is(prompts, tmp_path):
    rendered = await Renditions().render(prompts / "digits" / "7.wav", tmp_path / "made")

    assert (rendered.info.media_type, rendered.info.sample_rate, rendered.info.channels) == ("audio/wav", 8000, 1)
    assert rendered.view is None
    assert max(high for _, high in json.loads(rendered.peaks.path.read_text())) > 0.1
    with Image.open(rendered.spectrogram.path) as spectrogram:
        assert (spectrogram.format, spectrogram.mode, spectrogram.size) == ("PNG", "L", (1500, 192))


async def test_a_real_speech_is_counted_as_a_browser_does(speeches):
    path = speeches / "1790_george_washington_n.txt"

    info = await Renditions().probe(path)

    assert info.code_units == len(path.read_text(encoding="utf-8"))


async def test_limits_hold_for_what_is_asked(put, tmp_path):
    limits = MediaLimits(audio=AudioLimits(max_length_s=0.5))

    with pytest.raises(MediaRefused, match="1 seconds, at most 0") as refused:
        await Renditions(limits=limits).render(put(made.wav(made.tone(seconds=1))), tmp_path / "made")

    assert refused.value.reason == "AUDIO_TOO_LONG"


@pytest.mark.parametrize(
    ("budget", "failure"),
    [
        (Budget(wall_s=0.01), RenderTimedOut),
        (Budget(cpu_s=1), RenderTimedOut),
        (Budget(memory_bytes=290 * 1024**2), RenderOutOfMemory),
        (Budget(output_bytes=4096), RenderTooLarge),
        (Budget(memory_bytes=16 * 1024**2), RenderCrashed),
    ],
    ids=["by the clock", "by the processor", "of memory", "of output", "not even enough to start"],
)
async def test_a_job_beyond_its_budget_ends_and_leaves_nothing(budget, failure, pedestrians, tmp_path):
    with pytest.raises(RenderFailed) as failed:
        await Renditions(budget=budget).render(pedestrians, tmp_path / "made")

    assert type(failed.value) is failure
    assert kept(tmp_path / "made") is None
    assert not list(tmp_path.iterdir())


async def test_a_cancelled_job_ends_its_child_and_leaves_nothing(pedestrians, tmp_path):
    job = asyncio.create_task(Renditions().render(pedestrians, tmp_path / "made"))
    await _until(lambda: _children())

    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert not _children()
    assert not list(tmp_path.iterdir())


async def test_a_child_ends_with_its_parent_and_what_they_left_is_forgotten(pedestrians, tmp_path):
    code = (
        "import asyncio, sys; from pathlib import Path; from relearn_media.renditions import Renditions; "
        "asyncio.run(Renditions().render(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(pedestrians), str(tmp_path / "made")])
    await _until(lambda: _children(parent.pid))
    (child,) = _children(parent.pid)

    parent.kill()
    parent.wait()

    await _until(lambda: not _works(child))
    forget_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())


async def test_a_child_knows_nothing_of_its_parents_environment(pedestrians, tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "told to nobody")
    job = asyncio.create_task(Renditions().render(pedestrians, tmp_path / "made"))
    await _until(lambda: _children())
    (child,) = _children()

    environment = Path(f"/proc/{child}/environ").read_bytes()

    assert b"A_SECRET" not in environment
    assert b"LANG=C.UTF-8" in environment
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


def test_the_path_of_predictions_loads_no_decoder_of_sound_or_video():
    code = "import sys, relearn_media, relearn_media.renditions; print('av' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def _children(parent=None):
    """Process ids of the workers of a process."""
    found = []
    for thread in Path(f"/proc/{parent or os.getpid()}/task").iterdir():
        found += [int(pid) for pid in (thread / "children").read_text().split()]
    return [pid for pid in found if _works(pid)]


def _works(pid):
    try:
        return b"relearn_media.renditions.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


async def _until(condition, deadline_s=30.0):
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)
