"""Everything datasets is made of."""

from __future__ import annotations

from functools import partial

from relearn.datasets.v1 import datasets_service_pb2
from relearn.datasets.v1.datasets_service_pb2_grpc import add_DatasetsServiceServicer_to_server
from relearn.labeling.v1.events_pb2 import LabelAccepted
from relearn_datasets import events, jobs
from relearn_datasets.clients import ObjectStorage
from relearn_datasets.config import Config
from relearn_datasets.content import Inspector
from relearn_datasets.rpc import DatasetsRpc
from relearn_datasets.store import Transaction
from relearn_datasets.waiting import waiting_for
from relearn_runtime import Job, NewId, Now, Service, Store, database


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """Wired but not started."""
    store = Store(database(config.database_url), Transaction)
    objects = ObjectStorage(config.object_store_url)
    inspector = Inspector()
    descriptor = datasets_service_pb2.DESCRIPTOR.services_by_name["DatasetsService"]
    servicer = DatasetsRpc(store=store, objects=objects, inspector=inspector, new_id=new_id, now=now)
    return Service(
        name="datasets",
        config=config,
        store=store,
        migrations="relearn_datasets.migrations",
        handlers={LabelAccepted: partial(events.on_label_accepted, now=now)},
        servicers=[(add_DatasetsServiceServicer_to_server, servicer, descriptor)],
        jobs=[
            Job(name="commit-labels", run=partial(jobs.commit_due_labels, store, now=now), every_s=0.5),
            Job(name="make-packs", run=partial(jobs.make_packs, store, objects, new_id=new_id, now=now), every_s=0.5),
            Job(name="sweep-imports", run=partial(jobs.sweep_abandoned_imports, store, now=now), every_s=600.0),
        ],
        on_stop=[objects.close, inspector.close],
        waiting=partial(waiting_for, store=store, now=now),
    )
