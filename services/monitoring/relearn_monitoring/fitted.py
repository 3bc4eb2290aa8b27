"""What is dear to make and never changes: fitted references and calibrated thresholds, kept in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

from relearn_monitoring.domain import drift
from relearn_monitoring.domain.drift import Calibration
from relearn_monitoring.domain.policy import Policy, window_alpha
from relearn_monitoring.domain.reference import Reference
from relearn_monitoring.domain.sampling import seed
from relearn_monitoring.store import Transaction

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_REFERENCES = 64
_CALIBRATIONS = 512


class FittedReferences:
    """References and calibrations of this process; another process makes the same ones from the same rows."""

    def __init__(self) -> None:
        self._references: _Newest[str, Reference] = _Newest(_REFERENCES)
        self._calibrations: _Newest[tuple[str, int, float], Calibration] = _Newest(_CALIBRATIONS)
        self._calibrating = asyncio.Lock()

    async def reference(self, tx: Transaction, reference_id: str) -> Reference:
        """A frozen reference."""
        known = self._references.get(reference_id)
        if known is None:
            known = await tx.references.frozen(reference_id)
            self._references.put(reference_id, known)
        return known

    async def prepare(self, tx: Transaction, policy: Policy) -> None:
        """Makes what the full windows of a project's versions need.

        Called before the project's row is locked: thresholds take seconds, and others want the row.
        """
        for reference_id in await tx.watches.frozen(policy.project_id):
            await self.calibration(
                await self.reference(tx, reference_id), predictions=policy.window_predictions, policy=policy
            )

    async def calibration(self, reference: Reference, *, predictions: int, policy: Policy) -> Calibration:
        """Thresholds for windows of about so many predictions; made in a thread."""
        n = drift.grid(predictions)
        alpha = window_alpha(policy, predictions=n)
        key = (reference.reference_id, n, alpha)
        if (known := self._calibrations.get(key)) is not None:
            return known
        async with self._calibrating:  # one at a time: all cores but one are for others
            if (known := self._calibrations.get(key)) is None:
                generator = np.random.default_rng(seed("calibration", f"{reference.reference_id}/{n}"))
                known = await asyncio.to_thread(drift.calibrate, reference, n=n, alpha=alpha, generator=generator)
                self._calibrations.put(key, known)
        return known


class _Newest(Generic[K, V]):
    """The values used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
