"""Where a gateway that starts has its routes from: control, which alone knows what was undone meanwhile.

Only when control does not answer, the topic is read to its end, and then the disk; the highest revision wins.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from relearn_runtime.errors import RelearnError
from relearn_serving.gateway import route_cache
from relearn_serving.gateway.route_topic import RouteTopic
from relearn_serving.gateway.routes import Routes
from relearn_serving.gateway.routing import Route

log = logging.getLogger(__name__)

_CONTROL_S = 2.0
_TOPIC_S = 2.0


class AllRoutes(Protocol):
    """Who knows all routes."""

    async def routes(self) -> Sequence[Route]:
        """Raises RelearnError."""
        ...


async def want_first(routes: Routes, *, control: AllRoutes, topic: RouteTopic, saved: Path) -> bool:
    """Wants the newest routes that can be had within seconds, and starts `topic`; whether they are all there are."""
    try:
        async with asyncio.timeout(_CONTROL_S):
            routes.want(*await control.routes())
    except (RelearnError, TimeoutError) as error:
        log.warning("control does not answer; starting with the newest routes known", extra={"problem": repr(error)})
    else:
        topic.start()
        return True
    topic.start()
    await asyncio.to_thread(topic.wait_for_end, _TOPIC_S)
    routes.want(*await asyncio.to_thread(route_cache.load, saved))
    return False
