"""One transaction of labeling: the runtime's, with labeling's repositories."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_labeling.store.days import Days
from relearn_labeling.store.exchange import Exchange
from relearn_labeling.store.label_sets import LabelSets
from relearn_labeling.store.label_tasks import LabelTasks
from relearn_labeling.store.queue import Queue


class Transaction(relearn_runtime.Transaction):
    """Also has the label tasks, the label sets they are answered in, and the queue in which they wait for people."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.label_sets = LabelSets(connection)
        self.label_tasks = LabelTasks(connection)
        self.queue = Queue(connection)
        self.days = Days(connection)
        self.exchange = Exchange(connection)
