"""gRPC in: engineers and services look at what monitoring knows."""

from __future__ import annotations

import grpc

from relearn.monitoring.v1 import monitoring_service_pb2 as pb
from relearn.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceServicer
from relearn_monitoring import wire
from relearn_monitoring.domain.detector import EDetector
from relearn_monitoring.domain.policy import Policy, detector_run
from relearn_monitoring.domain.quality import quality
from relearn_monitoring.domain.watches import Watch
from relearn_monitoring.store import Transaction
from relearn_runtime import Now, Store, paging


class MonitoringRpc(MonitoringServiceServicer):
    """Reads only."""

    def __init__(self, *, store: Store[Transaction], now: Now) -> None:
        self._store, self._now = store, now

    async def GetMonitoring(
        self,
        request: pb.GetMonitoringRequest,
        context: grpc.aio.ServicerContext[pb.GetMonitoringRequest, pb.GetMonitoringResponse],
    ) -> pb.GetMonitoringResponse:
        async with self._store.transaction() as tx:
            policy = wire.policy(await tx.projects.require(request.project_id))
            monitored = await tx.monitored.find(policy.project_id)
            shards = monitored.shards if monitored else 1
            watches = await tx.watches.of_project(policy.project_id)
            return pb.GetMonitoringResponse(
                versions=[await _version(tx, watch, policy, shards=shards) for watch in watches],
                alerts=[wire.alert(alert) for alert in await tx.alerts.live_of_project(policy.project_id)],
                budget=wire.label_budget(await tx.ledgers.get(policy.project_id, self._now().date()), policy),
                predictions=monitored.predictions if monitored else 0,
                missing_predictions=await tx.monitored.missing(policy.project_id),
                refused_inputs=monitored.refused_inputs if monitored else 0,
            )

    async def ListWindows(
        self,
        request: pb.ListWindowsRequest,
        context: grpc.aio.ServicerContext[pb.ListWindowsRequest, pb.ListWindowsResponse],
    ) -> pb.ListWindowsResponse:
        size, listed = paging.page_size(request.page_size), f"windows of {request.project_id}"
        before = paging.place(request.page_token, listed, int)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            found = await tx.windows.page(request.project_id, before=before, size=size + 1)
            closed = [window for _, window in found[:size]]
            audits = await tx.audits.of_windows(closed)
        windows = [wire.window(window, audited=quality(own)) for window, own in zip(closed, audits, strict=True)]
        more = paging.token(listed, found[size - 1][0]) if len(found) > size else ""
        return pb.ListWindowsResponse(windows=windows, next_page_token=more)

    async def ListAlerts(
        self,
        request: pb.ListAlertsRequest,
        context: grpc.aio.ServicerContext[pb.ListAlertsRequest, pb.ListAlertsResponse],
    ) -> pb.ListAlertsResponse:
        size, listed = paging.page_size(request.page_size), f"alerts of {request.project_id}"
        before = paging.place(request.page_token, listed, int)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            found = await tx.alerts.page(request.project_id, before=before, size=size + 1)
        more = paging.token(listed, found[size - 1][0]) if len(found) > size else ""
        return pb.ListAlertsResponse(alerts=[wire.alert(alert) for _, alert in found[:size]], next_page_token=more)


async def _version(tx: Transaction, watch: Watch, policy: Policy, *, shards: int) -> pb.WatchedVersion:
    detectors: list[EDetector] = await tx.detectors.of_version(watch.model_version_id)
    return pb.WatchedVersion(
        model_version_id=watch.model_version_id,
        predictions=watch.predictions,
        reference_predictions=watch.collected,
        reference_frozen=watch.reference_frozen,
        detector_value=max((detector.value for detector in detectors), default=0.0),
        detector_threshold=detector_run(policy, shards=shards),
        skew=watch.skew,
        quality=wire.quality(quality(await tx.audits.of_version(watch.model_version_id))),
    )
