"""Composition root: everything labeling is made of."""

from __future__ import annotations

from functools import partial

from relearn.labeling.v1 import labeling_service_pb2, management_service_pb2, review_service_pb2
from relearn.labeling.v1.labeling_service_pb2_grpc import add_LabelingServiceServicer_to_server
from relearn.labeling.v1.management_service_pb2_grpc import add_ManagementServiceServicer_to_server
from relearn.labeling.v1.review_service_pb2_grpc import add_ReviewServiceServicer_to_server
from relearn.monitoring.v1.events_pb2 import PredictionFlagged
from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn_labeling import events, jobs, learning, revoking, rpc
from relearn_labeling.config import Config
from relearn_labeling.store import Transaction
from relearn_labeling.waiting import waiting
from relearn_runtime import NewId, Now, Service, Store, database, every

_MEASURE_EVERY_S = 60.0


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """Labeling, connected but not started."""
    store = Store(database(config.database_url), Transaction)
    sweep_s = config.sweep_every_s
    return Service(
        name="labeling",
        config=config,
        store=store,
        migrations="relearn_labeling.migrations",
        handlers={
            ProjectApplied: events.on_project_applied,
            PredictionFlagged: partial(events.on_prediction_flagged, new_id=new_id, now=now),
        },
        servicers=[
            (
                add_LabelingServiceServicer_to_server,
                rpc.labeling(store=store, new_id=new_id, now=now),
                labeling_service_pb2.DESCRIPTOR.services_by_name["LabelingService"],
            ),
            (
                add_ManagementServiceServicer_to_server,
                rpc.management(store=store, new_id=new_id, now=now),
                management_service_pb2.DESCRIPTOR.services_by_name["ManagementService"],
            ),
            (
                add_ReviewServiceServicer_to_server,
                rpc.review(store=store, new_id=new_id, now=now),
                review_service_pb2.DESCRIPTOR.services_by_name["ReviewService"],
            ),
        ],
        jobs=[
            every("measure-pace", _MEASURE_EVERY_S, partial(jobs.measure_pace, store)),
            every("expire-leases", sweep_s, partial(jobs.expire_leases, store, now=now)),
            every("follow-label-sets", sweep_s, partial(jobs.follow_label_sets, store, now=now)),
            every("finish-revocations", sweep_s, partial(revoking.finish_revocations, store, new_id=new_id, now=now)),
            every("refresh-crowds", config.learn_every_s, partial(learning.refresh_crowds, store, now=now)),
            every(
                "settle-abandoned-tasks", sweep_s, partial(jobs.settle_abandoned_tasks, store, new_id=new_id, now=now)
            ),
        ],
        waiting=partial(waiting, store=store, now=now),
    )
