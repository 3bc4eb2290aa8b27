"""One transaction of labeling: the runtime's, with labeling's repositories."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_labeling.store.crowds import Crowds
from relearn_labeling.store.days import Days
from relearn_labeling.store.exchange import Exchange
from relearn_labeling.store.gold import Gold
from relearn_labeling.store.label_sets import LabelSets
from relearn_labeling.store.label_tasks import LabelTasks
from relearn_labeling.store.own import Own
from relearn_labeling.store.queue import Queue
from relearn_labeling.store.reports import Reports
from relearn_labeling.store.reviews import Reviews
from relearn_labeling.store.revocations import Revocations


class Transaction(relearn_runtime.Transaction):
    """Also has the label tasks, their label sets, what is known of annotators, the queue, and sums over it all."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.crowds = Crowds(connection)
        self.label_sets = LabelSets(connection)
        self.label_tasks = LabelTasks(connection)
        self.queue = Queue(connection)
        self.days = Days(connection)
        self.exchange = Exchange(connection)
        self.reports = Reports(connection)
        self.gold = Gold(connection)
        self.own = Own(connection)
        self.reviews = Reviews(connection)
        self.revocations = Revocations(connection)
