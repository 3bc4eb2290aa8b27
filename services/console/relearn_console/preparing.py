"""What browsers show of a sample: found, or made in a child process, once, and kept in a folder of bounded size.

Pictures and texts are shown as they are: their header is read here, and they are ready at once. Sounds and videos go
through decoders that hostile bytes may bring down, and take seconds: `relearn_media.renditions` makes what is shown.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from relearn_console.clients import Blobs
from relearn_console.links import Target, View
from relearn_console.metrics import RENDERS
from relearn_media import MediaInfo, MediaLimits, MediaRefused, probe
from relearn_media.renditions import Rendered, RenderFailed, Renditions, forget_unfinished, kept
from relearn_media.signatures import HEAD_BYTES, Container, container_of

_VERSION = "1"  # of what is made: with another one, everything is made anew
_AS_THEY_ARE = frozenset({Container.PNG, Container.JPEG, Container.TEXT})
_REMEMBERED = 4096  # pictures and texts whose headers were read
_SOURCE, _GOING = ".source-", ".going-"
_MOST_WAITING = 256
_FAILED_FOR_S = 600.0  # a rendering that failed is not tried again at once: it may have cost minutes
log = logging.getLogger(__name__)


class NotPrepared(Exception):
    """Nothing can be shown of a sample; the message is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A sample as browsers show it. What a kind of media doesn't have is None."""

    info: MediaInfo
    view: Target
    thumbnail: Target | None = None
    peaks: Target | None = None
    spectrogram: Target | None = None


class Preparing:
    """Finds what is shown of samples, and makes it where nobody has; at most one rendering a sample at a time."""

    def __init__(
        self, blobs: Blobs, renditions: Renditions, *, folder: Path, max_bytes: int, limits: MediaLimits, at_once: int
    ) -> None:
        self._blobs, self._renditions, self._limits = blobs, renditions, limits
        self._root, self._folder, self._max_bytes = folder, folder / f"renditions-{_VERSION}", max_bytes
        self._turn = asyncio.Semaphore(at_once)
        self._as_they_are: OrderedDict[str, Shown] = OrderedDict()
        self._making: dict[str, asyncio.Task[Rendered]] = {}
        self._failed: dict[str, tuple[float, str]] = {}

    def open(self) -> None:
        """Makes the folder, and deletes what an earlier process left unfinished."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._root.glob("renditions-*"):
            if old != self._folder:
                shutil.rmtree(old, ignore_errors=True)
        for folder in (self._folder, *self._folder.iterdir()):
            forget_unfinished(folder)
        for copy in self._folder.glob(f"{_SOURCE}*"):
            copy.unlink(missing_ok=True)
        for folder in self._folder.glob(f"??/{_GOING}*"):
            shutil.rmtree(folder, ignore_errors=True)

    async def close(self) -> None:
        """Ends what is being made."""
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def look(self, sha256: str, *, patience_s: float) -> Shown | None:
        """What is shown of a sample; None while it is being made.

        Raises:
            NotPrepared: it can't be shown.
            BytesMissing, DependencyUnavailable: of the sample's own bytes.
        """
        if (shown := self._as_they_are.get(sha256)) is not None:
            self._as_they_are.move_to_end(sha256)
            return shown
        try:
            if (rendered := kept(self._of(sha256))) is not None:
                with suppress(FileNotFoundError):  # just deleted, for want of room
                    os.utime(self._of(sha256))
                return _shown(sha256, rendered)
            head = await self._blobs.read(sha256, most=HEAD_BYTES)
            if container_of(head) in _AS_THEY_ARE:
                return await self._as_it_is(sha256)
            return await self._made(sha256, patience_s=patience_s)
        except MediaRefused as refused:
            raise NotPrepared(str(refused)) from refused

    async def file(self, target: Target, *, patience_s: float) -> Path | None:
        """The file of a rendition, made where it isn't there; None while it is being made.

        Raises as `look`; NotPrepared also where this sample has no such rendition.
        """
        try:
            rendered = kept(self._of(target.sha256)) or await self._rendered(target.sha256, patience_s=patience_s)
        except MediaRefused as refused:
            raise NotPrepared(str(refused)) from refused
        if rendered is None:
            return None
        found = {
            View.VIEW: rendered.view,
            View.THUMBNAIL: rendered.thumbnail,
            View.PEAKS: rendered.peaks,
            View.SPECTROGRAM: rendered.spectrogram,
        }.get(target.view)
        if found is None or found.media_type != target.media_type:
            raise NotPrepared(f"this sample has no {target.view.value} of the type {target.media_type}")
        return found.path

    async def _as_it_is(self, sha256: str) -> Shown:
        most = max(self._limits.image.max_bytes, self._limits.text.max_bytes) + 1  # one byte over is refused, with why
        content = await self._blobs.read(sha256, most=most)
        info = await asyncio.to_thread(probe, content, self._limits)
        source = Target(view=View.SOURCE, sha256=sha256, media_type=info.media_type)
        thumbnail = None
        if info.width is not None:  # made when somebody looks at it
            thumbnail = Target(view=View.THUMBNAIL, sha256=sha256, media_type="image/webp")
        shown = self._as_they_are[sha256] = Shown(info=info, view=source, thumbnail=thumbnail)
        if len(self._as_they_are) > _REMEMBERED:
            self._as_they_are.popitem(last=False)
        return shown

    async def _made(self, sha256: str, *, patience_s: float) -> Shown | None:
        rendered = await self._rendered(sha256, patience_s=patience_s)
        return None if rendered is None else _shown(sha256, rendered)

    async def _rendered(self, sha256: str, *, patience_s: float) -> Rendered | None:
        """What was made; None while it is being made. Raises NotPrepared, MediaRefused, and what storage raises."""
        failed_at, why = self._failed.get(sha256, (0.0, ""))
        if why and time.monotonic() - failed_at < _FAILED_FOR_S:
            raise NotPrepared(why)
        if (task := self._making.get(sha256)) is None:
            if len(self._making) >= _MOST_WAITING:
                return None
            task = self._making[sha256] = asyncio.create_task(self._make(sha256), name=f"render {sha256}")
            task.add_done_callback(lambda done: self._forget(sha256, done))
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(task)
        except TimeoutError:
            return None
        except RenderFailed as failed:
            raise NotPrepared(_why(failed)) from failed

    async def _make(self, sha256: str) -> Rendered:
        async with self._turn:
            started = time.monotonic()
            outcome = "failed"
            try:
                with _fresh_file(self._folder) as source:
                    await self._blobs.copy(sha256, source)
                    rendered = await self._renditions.render(source, self._of(sha256))
                outcome = "made"
            except MediaRefused:
                outcome = "refused"
                raise
            finally:
                RENDERS.labels(outcome).observe(time.monotonic() - started)
            await asyncio.to_thread(self._make_room, sha256)
            return rendered

    def _forget(self, sha256: str, done: asyncio.Task[Rendered]) -> None:
        del self._making[sha256]
        if done.cancelled() or (error := done.exception()) is None:
            return
        if isinstance(error, RenderFailed):
            log.warning("rendering failed", extra={"sha256": sha256, "reason": error.reason, "error": str(error)})
            self._failed[sha256] = (time.monotonic(), _why(error))
        elif not isinstance(error, MediaRefused):
            log.warning("rendering did not happen", extra={"sha256": sha256, "error": repr(error)})

    def _of(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _make_room(self, newest: str) -> None:
        """Deletes what nobody looked at for longest, until what is kept fits."""
        found = []
        for folder in self._folder.glob("??/[!.]*"):  # not what is being made
            with suppress(FileNotFoundError):
                size = sum(file.stat().st_size for file in folder.iterdir())
                found.append((folder.name != newest, folder.stat().st_mtime, size, folder))
        total = sum(size for _, _, size, _ in found)
        for may_go, _, size, folder in sorted(found, key=lambda one: one[1]):
            if total <= self._max_bytes:
                return
            if may_go:
                going = folder.with_name(f"{_GOING}{folder.name}")
                folder.rename(going)  # first: nobody finds half of it
                shutil.rmtree(going, ignore_errors=True)
                total -= size


def _shown(sha256: str, rendered: Rendered) -> Shown:
    def target(view: View, media_type: str) -> Target:
        return Target(view=view, sha256=sha256, media_type=media_type)

    view, thumbnail, peaks, spectrogram = rendered.view, rendered.thumbnail, rendered.peaks, rendered.spectrogram
    info = rendered.info
    return Shown(
        info=info,
        view=target(View.VIEW, view.media_type) if view else target(View.SOURCE, info.media_type),
        thumbnail=target(View.THUMBNAIL, thumbnail.media_type) if thumbnail else None,
        peaks=target(View.PEAKS, peaks.media_type) if peaks else None,
        spectrogram=target(View.SPECTROGRAM, spectrogram.media_type) if spectrogram else None,
    )


def _why(failed: RenderFailed) -> str:
    return f"it could not be prepared for showing ({failed.reason}); an engineer finds more in the console's log"


@contextmanager
def _fresh_file(folder: Path) -> Iterator[Path]:
    descriptor, path = tempfile.mkstemp(prefix=_SOURCE, dir=folder)
    os.close(descriptor)
    try:
        yield Path(path)
    finally:
        Path(path).unlink(missing_ok=True)
