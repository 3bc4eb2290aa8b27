"""Composition root: everything the registry is made of."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from relearn.registry.v1 import registry_service_pb2
from relearn.registry.v1.registry_service_pb2_grpc import add_RegistryServiceServicer_to_server
from relearn_registry import events, jobs
from relearn_registry.clients import OtherServices
from relearn_registry.config import Config
from relearn_registry.object_files import ModelFiles
from relearn_registry.rpc import RegistryRpc
from relearn_registry.standing import waiting
from relearn_registry.store import Transaction
from relearn_runtime import NewId, Now, Service, Store, database, every


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """The registry, connected but not started."""
    store = Store(database(config.database_url), Transaction)
    files = ModelFiles(config.object_store_url)
    in_the_order_of_the_loop = {
        "control": config.control_address,
        "monitoring": config.monitoring_address,
        "labeling": config.labeling_address,
        "datasets": config.datasets_address,
        "training": config.training_address,
    }
    others = OtherServices(in_the_order_of_the_loop, token=config.token, deadline_s=config.why_deadline_s)
    lease = timedelta(seconds=config.copy_lease_s)
    return Service(
        name="registry",
        config=config,
        store=store,
        migrations="relearn_registry.migrations",
        handlers=events.handlers(new_id=new_id, now=now),
        servicers=[
            (
                add_RegistryServiceServicer_to_server,
                RegistryRpc(store=store, others=others, new_id=new_id, now=now),
                registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
            )
        ],
        jobs=[
            every(
                "copy-model-files",
                config.gate_every_s,
                partial(jobs.copy_model_files, store, files, lease=lease, new_id=new_id, now=now),
            ),
            every("tend-gate", config.gate_every_s, partial(jobs.tend_gate, store, files, new_id=new_id, now=now)),
        ],
        waiting=partial(waiting, store=store),
        on_stop=[others.close],
    )
