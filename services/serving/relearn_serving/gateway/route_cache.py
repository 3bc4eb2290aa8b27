"""The routes in force, on disk: a gateway starts with them when control is away."""

import logging
from pathlib import Path

from google.protobuf.message import DecodeError

from relearn.serving.v1.control_service_pb2 import GetRoutesResponse
from relearn_serving.gateway import wire
from relearn_serving.gateway.own_files import replace_file
from relearn_serving.gateway.routing import Route, RouteTable

log = logging.getLogger(__name__)


def save(path: Path, table: RouteTable) -> None:
    """Replaces the file in one step."""
    message = GetRoutesResponse(routes=[wire.route_message(route) for route in table.routes.values()])
    replace_file(path, message.SerializeToString())


def load(path: Path) -> list[Route]:
    """What was saved; nothing when there is no file or it is damaged."""
    try:
        message = GetRoutesResponse.FromString(path.read_bytes())
    except FileNotFoundError:
        return []
    except DecodeError:
        log.warning("the saved routes are damaged; waiting for control")
        return []
    return [wire.route(route) for route in message.routes]
