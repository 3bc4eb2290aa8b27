"""One transaction of monitoring: the runtime's, with monitoring's repositories."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_monitoring.store.alerts import Alerts
from relearn_monitoring.store.audits import Audits
from relearn_monitoring.store.comparisons import Comparisons, Disagreements
from relearn_monitoring.store.inputs import RecentPredictions, WaitingInputs
from relearn_monitoring.store.picks import Ledgers, Picks
from relearn_monitoring.store.projects import MonitoredProjects
from relearn_monitoring.store.watches import Detectors, References, Watches
from relearn_monitoring.store.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakes:
    """What ends the pauses of jobs, once the work that waits for them is committed."""

    picked: asyncio.Event = field(default_factory=asyncio.Event)
    alerted: asyncio.Event = field(default_factory=asyncio.Event)


class Transaction(relearn_runtime.Transaction):
    """Also has all that is watched, and all that was picked."""

    def __init__(self, connection: AsyncConnection, *, wakes: Wakes) -> None:
        super().__init__(connection)
        self.wakes = wakes
        self.monitored = MonitoredProjects(connection)
        self.watches = Watches(connection)
        self.detectors = Detectors(connection)
        self.references = References(connection)
        self.windows = Windows(connection)
        self.recent = RecentPredictions(connection)
        self.waiting = WaitingInputs(connection)
        self.picks = Picks(connection)
        self.ledgers = Ledgers(connection)
        self.audits = Audits(connection)
        self.alerts = Alerts(connection)
        self.comparisons = Comparisons(connection)
        self.disagreements = Disagreements(connection)
