"""Composition root: everything the console is made of."""

from __future__ import annotations

from relearn.console.v1 import media_service_pb2
from relearn.console.v1.media_service_pb2_grpc import add_MediaServiceServicer_to_server
from relearn_console.bridge import Bridge, Deadlines
from relearn_console.clients import Blobs, Channels, Samples
from relearn_console.config import Config
from relearn_console.delivering import Delivering
from relearn_console.exposed import methods
from relearn_console.keys import secret_bytes
from relearn_console.links import Links
from relearn_console.pages import Pages
from relearn_console.preparing import Preparing
from relearn_console.rpc import MediaRpc
from relearn_console.sessions import Attempts, Sessions
from relearn_console.signing_in import SigningIn
from relearn_console.web import WebDoor, application
from relearn_media import MediaLimits
from relearn_media.renditions import Renditions
from relearn_runtime import NewId, Now, Service
from relearn_runtime.tokens import Tokens


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """The console, connected but not started."""
    secret = secret_bytes(config.secret)
    channels = Channels(
        {
            "registry": lambda: config.registry_address,
            "labeling": lambda: config.labeling_address,
            "datasets": lambda: config.datasets_address,
            "console": lambda: service.address,  # known when it listens
        }
    )
    blobs, links = Blobs(config.object_store_url), Links(secret, valid_s=config.link_valid_s)
    preparing = _preparing(config, blobs)
    media = MediaRpc(samples=Samples(channels), preparing=preparing, links=links, now=now)
    sessions = Sessions(
        secret,
        lifetime_s=config.session_hours * 3600,
        secure=bool(config.public_origin and config.public_origin.startswith("https:")),
    )
    exposed = methods()
    app = application(
        bridge=Bridge(
            exposed,
            channels,
            sessions=sessions,
            deadlines=Deadlines(unary_s=config.call_deadline_s, stream_s=config.stream_deadline_s),
            max_bytes=config.max_request_bytes,
        ),
        exposed=list(exposed.values()),
        signing_in=SigningIn(sessions, Tokens(config.tokens_file), Attempts()),
        delivering=Delivering(links=links, blobs=blobs, preparing=preparing, now=now),
        pages=Pages(config.pages_dir),
        public_origin=config.public_origin,
    )
    service = Service(
        name="console",
        config=config,
        servicers=[
            (
                add_MediaServiceServicer_to_server,
                media,
                media_service_pb2.DESCRIPTOR.services_by_name["MediaService"],
            )
        ],
        doors=[WebDoor(app, address=config.web_address, trusted_proxies=config.trusted_proxies)],
        on_stop=[preparing.close, channels.close],
    )
    return service


def _preparing(config: Config, blobs: Blobs) -> Preparing:
    limits = MediaLimits()
    preparing = Preparing(
        blobs,
        Renditions(limits=limits, at_once=config.renders_at_once),
        folder=config.work_dir,
        max_bytes=config.renditions_max_bytes,
        limits=limits,
        at_once=config.renders_at_once,
    )
    preparing.open()
    return preparing
