"""Composition root: everything training is made of."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from obstore.store import ObjectStore, from_url

from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn.monitoring.v1.events_pb2 import AlertConfirmed, AlertOpened, AlertRefuted, AlertResolved
from relearn.registry.v1.events_pb2 import ModelVersionRegistered, ProjectApplied
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn.training.v1 import training_service_pb2
from relearn.training.v1.training_service_pb2_grpc import add_TrainingServiceServicer_to_server
from relearn_runtime import Job, NewId, Now, Service, Store, channel, database, every
from relearn_training import events, jobs
from relearn_training.children import Children
from relearn_training.clients import Datasets, Objects
from relearn_training.conducting import Tools
from relearn_training.config import Config
from relearn_training.rpc import TrainingRpc
from relearn_training.store import Transaction
from relearn_training.waiting import waiting


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """Training, connected but not started."""
    store = Store(database(config.database_url), Transaction)
    to_datasets = channel(config.datasets_address, token=config.token)
    datasets = Datasets(to_datasets)
    tools = Tools(
        store=store,
        datasets=datasets,
        objects=Objects(_object_store(config.object_store_url)),
        children=Children(
            places=config.trials_side_by_side,
            niceness=config.trial_niceness,
            timeout_s=config.child_timeout_s,
        ),
        work_dir=config.work_dir,
        pack_timeout_s=config.pack_timeout_s,
        new_id=new_id,
        now=now,
    )
    conduct = partial(jobs.conduct_study, tools, lease=timedelta(seconds=config.lease_s))
    return Service(
        name="training",
        config=config,
        store=store,
        migrations="relearn_training.migrations",
        handlers={
            ProjectApplied: partial(events.on_project_applied, now=now),
            VersionCommitted: partial(events.on_version_committed, new_id=new_id, now=now),
            ModelVersionRegistered: events.on_model_version_registered,
            RouteChanged: partial(events.on_route_changed, now=now),
            AlertOpened: events.on_alert_opened,
            AlertConfirmed: partial(events.on_alert_confirmed, new_id=new_id, now=now),
            AlertRefuted: events.on_alert_over,
            AlertResolved: events.on_alert_over,
        },
        servicers=[
            (
                add_TrainingServiceServicer_to_server,
                TrainingRpc(store=store, datasets=datasets, new_id=new_id, now=now),
                training_service_pb2.DESCRIPTOR.services_by_name["TrainingService"],
            )
        ],
        jobs=[
            every("sweep", 3600, partial(jobs.sweep, store, config.work_dir)),
            every("reconsider", 0.5, partial(jobs.reconsider, store, new_id=new_id, now=now)),
            *(
                Job(name=f"conduct-study-{place}", run=conduct, every_s=0.5)
                for place in range(config.studies_side_by_side)
            ),
        ],
        waiting=partial(waiting, store=store, now=now),
        on_stop=[tools.children.rest, to_datasets.close],
    )


def _object_store(url: str) -> ObjectStore:
    return from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
