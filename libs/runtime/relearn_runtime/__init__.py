"""The frame every Relearn service runs in. What a service uses is named here; the rest is the runtime's own affair."""

from relearn_runtime.callers import Caller, caller
from relearn_runtime.channel import channel
from relearn_runtime.database import Database, Store, Transaction, database
from relearn_runtime.driver import driver
from relearn_runtime.envelope import Event
from relearn_runtime.jobs import Job, every
from relearn_runtime.outbox import Outgoing
from relearn_runtime.reactions import Batch
from relearn_runtime.running import run
from relearn_runtime.seams import NewId, Now, new_id, utc_now
from relearn_runtime.service import Door, Service
from relearn_runtime.settings import LoopConfig, ProcessConfig, RuntimeConfig
from relearn_runtime.waiting import Waiting

__all__ = [
    "Service", "Door", "RuntimeConfig", "LoopConfig", "ProcessConfig", "run",
    "Database", "database", "Store", "Transaction", "driver",
    "Event", "Batch", "Outgoing",
    "Job", "every",
    "caller", "Caller", "channel",
    "NewId", "Now", "new_id", "utc_now",
    "Waiting",
]  # fmt: skip
