"""Composition root: everything monitoring is made of."""

from __future__ import annotations

from functools import partial

from relearn.labeling.v1.events_pb2 import LabelAccepted, LabelTaskClosed
from relearn.monitoring.v1 import monitoring_service_pb2
from relearn.monitoring.v1.monitoring_service_pb2_grpc import add_MonitoringServiceServicer_to_server
from relearn.registry.v1.events_pb2 import ModelVersionJudged, ModelVersionRegistered
from relearn.serving.v1.events_pb2 import PredictionMade, RouteChanged
from relearn_monitoring import events, jobs, selecting
from relearn_monitoring.clients import Datasets, Objects
from relearn_monitoring.config import Config
from relearn_monitoring.fitted import FittedReferences
from relearn_monitoring.putting import put_picks
from relearn_monitoring.rpc import MonitoringRpc
from relearn_monitoring.store import Transaction, Wakes
from relearn_monitoring.waiting import waiting
from relearn_runtime import Batch, Job, NewId, Now, Service, Store, database, every


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """Monitoring, connected but not started. It makes no random ids: each follows from what caused it."""
    wakes = Wakes()
    store = Store(database(config.database_url), partial(Transaction, wakes=wakes))
    datasets = Datasets(config.datasets_address, token=config.token)
    objects = Objects(config.object_store_url)
    fitted = FittedReferences()
    return Service(
        name="monitoring",
        config=config,
        store=store,
        migrations="relearn_monitoring.migrations",
        handlers={
            RouteChanged: partial(events.on_route_changed, now=now),
            ModelVersionRegistered: partial(events.on_model_version_registered, now=now),
            ModelVersionJudged: partial(events.on_model_version_judged, now=now),
            LabelAccepted: partial(events.on_label_accepted, now=now),
            LabelTaskClosed: partial(events.on_label_task_closed, now=now),
        },
        batches=[Batch(PredictionMade, partial(events.on_predictions, fitted=fitted, now=now))],
        servicers=[
            (
                add_MonitoringServiceServicer_to_server,
                MonitoringRpc(store=store, now=now),
                monitoring_service_pb2.DESCRIPTOR.services_by_name["MonitoringService"],
            )
        ],
        jobs=[
            Job(
                name="put-picks",
                run=partial(put_picks, store, datasets, objects, now=now),
                every_s=config.picks_every_s,
                wake=wakes.picked,
            ),
            Job(
                name="select",
                run=partial(selecting.select, store, fitted, now=now),
                every_s=config.select_every_s,
                wake=wakes.alerted,
            ),
            every("close-windows", config.windows_every_s, partial(jobs.close_windows, store, fitted, now=now)),
            every("tell-skew", 5.0, partial(jobs.tell_skew, store, objects, fitted, now=now)),
        ],
        waiting=partial(waiting, store=store, now=now),
        on_stop=[datasets.close],
    )
