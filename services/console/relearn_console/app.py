"""Composition root: everything the console is made of."""

from __future__ import annotations

from relearn_console.bridge import Bridge, Deadlines
from relearn_console.config import Config
from relearn_console.exposed import methods
from relearn_console.keys import secret_bytes
from relearn_console.pages import Pages
from relearn_console.sessions import Attempts, Sessions
from relearn_console.signing_in import SigningIn
from relearn_console.web import WebDoor, application
from relearn_runtime import NewId, Now, Service, channel
from relearn_runtime.tokens import Tokens


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """The console, connected but not started."""
    secret = secret_bytes(config.secret)
    sessions = Sessions(
        secret,
        lifetime_s=config.session_hours * 3600,
        secure=bool(config.public_origin and config.public_origin.startswith("https:")),
    )
    channels = {
        "labeling": channel(config.labeling_address, token=None),
        "registry": channel(config.registry_address, token=None),
    }
    exposed = methods()
    bridge = Bridge(
        exposed,
        channels,
        sessions=sessions,
        deadlines=Deadlines(unary_s=config.call_deadline_s, stream_s=config.stream_deadline_s),
        max_bytes=config.max_request_bytes,
    )
    app = application(
        bridge=bridge,
        exposed=list(exposed.values()),
        signing_in=SigningIn(sessions, Tokens(config.tokens_file), Attempts()),
        pages=Pages(config.pages_dir),
        public_origin=config.public_origin,
    )
    return Service(
        name="console",
        config=config,
        doors=[WebDoor(app, address=config.web_address, trusted_proxies=config.trusted_proxies)],
        on_stop=[each.close for each in channels.values()],
    )
