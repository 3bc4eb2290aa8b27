"""Every second: what is in force here and what the versions did, to control; newer routes come back."""

import asyncio
import logging

from relearn.serving.v1.control_service_pb2 import ReportGatewayRequest
from relearn_runtime.errors import RelearnError
from relearn_serving.gateway import wire
from relearn_serving.gateway.clients import Control
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.routes import Routes
from relearn_serving.gateway.shadow import Shadow
from relearn_serving.gateway.tap import Tap

log = logging.getLogger(__name__)

REPORT_EVERY_S = 1.0


class Reporting:
    """Counters only grow, so a report that is lost or arrives twice changes nothing."""

    def __init__(
        self,
        control: Control,
        routes: Routes,
        *,
        identity: Identity,
        counters: Counters,
        tap: Tap,
        shadow: Shadow,
    ) -> None:
        self._control = control
        self._routes = routes
        self._identity = identity
        self._counters = counters
        self._tap = tap
        self._shadow = shadow
        self._number = 0
        self._reachable = True

    async def run(self, *, all_known: bool) -> None:
        """Reports for ever. At once after a route came into force: a move is then known within a second.

        Args:
            all_known: control has told all routes there are; else it is asked until it does.
        """
        if not all_known:
            await self._ask_for_all()
        await self._routes.all_known()
        while True:
            await self._report()
            await self._routes.changed_within(REPORT_EVERY_S)

    async def _ask_for_all(self) -> None:
        while True:
            try:
                self._routes.want(*await self._control.routes())
                return
            except Exception as error:
                self._say(error)
                await asyncio.sleep(REPORT_EVERY_S)

    async def _report(self) -> None:
        self._number += 1
        try:
            self._routes.want(*await self._control.report(self._request()))
        except Exception as error:
            self._say(error)
        else:
            self._say(None)

    def _request(self) -> ReportGatewayRequest:
        tap = self._tap.counts()
        return ReportGatewayRequest(
            gateway_id=self._identity.life,
            report=self._number,
            acknowledgements=[
                wire.acknowledgement(project, standing) for project, standing in self._routes.standings().items()
            ],
            counters=[wire.counters(count) for count in self._counters.versions()],
            dropped_predictions=tap.dropped,
            spooled_predictions=tap.waiting,
            shed_shadows=self._shadow.shed,
        )

    def _say(self, problem: Exception | None) -> None:
        """Once per change, not once per second."""
        if problem is not None and self._reachable:
            unexpected = None if isinstance(problem, RelearnError) else problem
            log.warning(
                "control is away; serving goes on with the routes in force",
                extra={"problem": str(problem)},
                exc_info=unexpected,
            )
        elif problem is None and not self._reachable:
            log.info("control is back")
        self._reachable = problem is None
