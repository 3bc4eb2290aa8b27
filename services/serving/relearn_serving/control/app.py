"""Composition root of control."""

from functools import partial

from relearn.monitoring.v1.events_pb2 import AlertConfirmed
from relearn.registry.v1.events_pb2 import ModelVersionJudged
from relearn.serving.v1 import control_service_pb2
from relearn.serving.v1.control_service_pb2_grpc import add_ControlServiceServicer_to_server
from relearn_runtime import Job, NewId, Now, Service, Store, database
from relearn_serving.control import events, jobs
from relearn_serving.control.config import Config
from relearn_serving.control.rpc import ControlRpc
from relearn_serving.control.store import Transaction
from relearn_serving.control.waiting import waiting

_FORGET_EVERY_S = 3_600.0


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """Everything control is made of, connected but not started."""
    store = Store(database(config.database_url), Transaction)
    return Service(
        name="control",
        config=config,
        store=store,
        migrations="relearn_serving.control.migrations",
        handlers={
            ModelVersionJudged: partial(events.on_model_version_judged, new_id=new_id, now=now),
            AlertConfirmed: partial(events.on_alert_confirmed, new_id=new_id, now=now),
        },
        servicers=[
            (
                add_ControlServiceServicer_to_server,
                ControlRpc(store=store, new_id=new_id, now=now),
                control_service_pb2.DESCRIPTOR.services_by_name["ControlService"],
            )
        ],
        jobs=[
            Job(name="go-on", run=partial(jobs.go_on, store, new_id=new_id, now=now), every_s=1.0),
            Job(name="forget-gateways", run=partial(jobs.forget_gateways, store, now=now), every_s=_FORGET_EVERY_S),
        ],
        waiting=partial(waiting, store=store, now=now),
    )
