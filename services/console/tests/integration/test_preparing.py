"""What browsers are shown: found, made once, and kept within bounds. On a real folder, by real child processes."""

import asyncio
import hashlib
import os
from contextlib import asynccontextmanager

import numpy as np
import pytest
from console_world import sound

from relearn_console.clients import Blobs, BytesMissing
from relearn_console.links import Target, View
from relearn_console.preparing import NotPrepared, Preparing
from relearn_media import MediaLimits, encode_png
from relearn_media.renditions import Budget, Renditions
from relearn_runtime.testing import eventually

LONG = 30.0


class Place:
    """A folder with an object store and what is prepared from it."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.folder / "objects" / "blobs" / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return sha256

    @asynccontextmanager
    async def preparing(self, *, max_bytes: int = 1 << 30, budget: Budget | None = None):
        limits = MediaLimits()
        preparing = Preparing(
            Blobs((self.folder / "objects").as_uri()),
            Renditions(limits=limits, budget=budget),
            folder=self.folder / "work",
            max_bytes=max_bytes,
            limits=limits,
            at_once=1,
        )
        preparing.open()
        try:
            yield preparing
        finally:
            await preparing.close()

    def kept(self) -> set[str]:
        return {path.name for path in (self.folder / "work").glob("renditions-*/??/[!.]*")}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


async def test_a_picture_is_shown_as_it_is_at_once(place):
    picture = encode_png(np.zeros((30, 40, 3), dtype=np.uint8))
    async with place.preparing() as preparing:
        shown = await preparing.look(place.put(picture), patience_s=0)

    assert (shown.info.media_type, shown.info.width, shown.info.height) == ("image/png", 40, 30)
    assert shown.view.view is View.SOURCE
    assert shown.thumbnail.view is View.THUMBNAIL
    assert place.kept() == set()


async def test_a_text_is_shown_as_it_is_with_its_length_in_code_units(place):
    async with place.preparing() as preparing:
        shown = await preparing.look(place.put("zwei Käse 🧀".encode()), patience_s=0)

    assert (shown.info.media_type, shown.info.code_units) == ("text/plain; charset=utf-8", 12)
    assert (shown.view.view, shown.thumbnail) == (View.SOURCE, None)


async def test_a_sound_is_made_ready_meanwhile_once_for_everybody_who_asks(place):
    sha256 = place.put(sound())
    async with place.preparing() as preparing:
        first = await preparing.look(sha256, patience_s=0)
        asked = await asyncio.gather(*(preparing.look(sha256, patience_s=LONG) for _ in range(5)))
        tasks = len(preparing._making)

    assert first is None
    assert len({id(one.info) for one in asked}) == 1  # one rendering
    assert tasks == 0
    assert asked[0].info.length_s == pytest.approx(1.0)
    assert asked[0].peaks.view is View.PEAKS
    assert place.kept() == {sha256}


async def test_what_was_made_is_found_by_the_next_process(place):
    sha256 = place.put(sound())
    async with place.preparing() as preparing:
        await preparing.look(sha256, patience_s=LONG)
    async with place.preparing() as preparing:
        shown = await preparing.look(sha256, patience_s=0)

    assert shown.info.length_s == pytest.approx(1.0)


async def test_what_a_stop_or_a_kill_left_unfinished_is_deleted_at_the_next_start(place):
    async with place.preparing() as preparing:
        await preparing.look(place.put(sound(30.0)), patience_s=0)  # and is stopped in the middle of it
    (folder,) = (place.folder / "work").glob("renditions-*")
    (folder / ".source-killed").write_bytes(b"half of it")
    (folder / "ab" / ".unfinished-x").mkdir(parents=True)
    (folder / "ab" / ".going-x").mkdir()
    (place.folder / "work" / "renditions-0" / "ab").mkdir(parents=True)

    async with place.preparing():
        left = [path for path in (place.folder / "work").rglob("*") if path.name.startswith(".")]

    assert left == []
    assert not (place.folder / "work" / "renditions-0").exists()


async def test_what_nobody_looked_at_for_longest_makes_room(place):
    old, looked_at, newest = (place.put(sound(1.0 + 0.1 * n)) for n in range(3))
    async with place.preparing() as preparing:
        for sha256 in (old, looked_at):
            await preparing.look(sha256, patience_s=LONG)
        for sha256, used_at in ((old, 2000), (looked_at, 1000)):
            os.utime(preparing._of(sha256), (used_at, used_at))
        await preparing.look(looked_at, patience_s=0)
        preparing._max_bytes = sum(path.stat().st_size for path in preparing._of(old).iterdir()) * 5 // 2
        being_made = preparing._of(old).with_name(".unfinished-x")
        being_made.mkdir()
        (being_made / "view.webm").write_bytes(bytes(preparing._max_bytes))
        os.utime(being_made, (0, 0))
        await preparing.look(newest, patience_s=LONG)

        await eventually(lambda: _is(place.kept() == {looked_at, newest}))
        again = await preparing.file(
            Target(view=View.PEAKS, sha256=old, media_type="application/json"), patience_s=LONG
        )

    assert again.exists()
    assert being_made.exists()


async def test_a_rendering_that_fails_says_so_and_is_not_begun_again_at_once(place):
    sha256 = place.put(sound())
    async with place.preparing(budget=Budget(wall_s=0.001)) as preparing:
        with pytest.raises(NotPrepared, match="RENDER_TIMED_OUT"):
            await preparing.look(sha256, patience_s=LONG)
        with pytest.raises(NotPrepared, match="RENDER_TIMED_OUT"):
            await preparing.look(sha256, patience_s=0)


async def test_a_sample_without_bytes_is_an_error_and_not_a_refusal(place):
    async with place.preparing() as preparing:
        with pytest.raises(BytesMissing):
            await preparing.look("0" * 64, patience_s=0)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xfea\0b\0", b"\0\0\0\0"])
async def test_bytes_of_no_kind_are_refused_in_words(place, content):
    async with place.preparing() as preparing:
        with pytest.raises(NotPrepared) as refused:
            await preparing.look(place.put(content), patience_s=0)

    assert str(refused.value)


async def _is(value: bool) -> bool:
    return value
