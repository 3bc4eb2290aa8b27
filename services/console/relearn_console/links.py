"""Links to media: signed, short-lived, and the same for everybody who asks within the same minutes.

A link is `/media/<view>/<sha256>.<suffix>?expires=<unix seconds>&signature=<hex>`. It needs no session, since a
browser's own players can't send one reliably; so it says what it opens, and until when, and nobody can change either.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from relearn_console.keys import derived
from relearn_runtime.errors import NotFound, PermissionDenied

PREFIX = "/media"
_NAME = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{1,5})")
_STEP_S = 300  # links end on multiples of it: one that is asked for again is the same, and in the browser's cache
# What may be served under which suffix: nothing that a browser runs.
MEDIA_TYPES: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "weba": "audio/webm",
    "ogv": "video/ogg",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
}
_SUFFIXES = {media_type: suffix for suffix, media_type in MEDIA_TYPES.items()} | {"audio/x-msvideo": "avi"}


class LinkForged(PermissionDenied):
    """A link that was not made here, or was changed."""

    reason = "LINK_FORGED"


class LinkEnded(NotFound):
    """A link whose time is over."""

    reason = "LINK_ENDED"


class NotShown(NotFound):
    """A media type that browsers are not given."""

    reason = "MEDIA_NOT_SHOWN"


class View(Enum):
    """What of a sample a link opens."""

    SOURCE = "source"
    VIEW = "view"
    THUMBNAIL = "thumbnail"
    PEAKS = "peaks"
    SPECTROGRAM = "spectrogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a link opens."""

    view: View
    sha256: str
    media_type: str

    @property
    def path(self) -> str:
        """Its path, without the query that opens it."""
        return f"{PREFIX}/{self.view.value}/{self.sha256}.{suffix_of(self.media_type)}"


def suffix_of(media_type: str) -> str:
    """The suffix that a media type is served under.

    Raises:
        NotShown: it is not served at all.
    """
    try:
        return _SUFFIXES[media_type]
    except KeyError:
        raise NotShown(f"{media_type} is nothing that a browser is given", media_type=media_type) from None


def target_of(view: str, name: str) -> Target | None:
    """What a path names; None when nothing could be there."""
    match = _NAME.fullmatch(name)
    if match is None or match[2] not in MEDIA_TYPES or view not in {one.value for one in View}:
        return None
    return Target(view=View(view), sha256=match[1], media_type=MEDIA_TYPES[match[2]])


class Links:
    """Makes links and checks them; processes with the same secret know each other's."""

    def __init__(self, secret: bytes, *, valid_s: int) -> None:
        """`valid_s`: the least time that a link is good for."""
        self._key, self._valid_s = derived(secret, "media links"), valid_s

    def end(self, now: datetime) -> datetime:
        """When links that are made now end."""
        at_least = int(now.timestamp()) + self._valid_s
        return datetime.fromtimestamp(-(-at_least // _STEP_S) * _STEP_S, UTC)

    def to(self, target: Target, *, end: datetime) -> str:
        """Path and query of the link."""
        expires = str(int(end.timestamp()))
        return f"{target.path}?expires={expires}&signature={self._signature(target.path, expires)}"

    def remaining(self, target: Target, *, expires: str, signature: str, now: datetime) -> timedelta:
        """How long a link is still good for.

        Raises:
            LinkForged: the signature is not that of this path and time.
            LinkEnded: it was good until a moment ago; whoever may see the sample gets a new one.
        """
        expected = self._signature(target.path, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise LinkForged("this link was not made by this console, or was changed")
        left = datetime.fromtimestamp(int(expires), UTC) - now
        if left <= timedelta():
            raise LinkEnded("this link has ended; ask GetMedia for a new one")
        return left

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}?{expires}".encode(), hashlib.sha256).hexdigest()
