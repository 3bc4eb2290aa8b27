"""From predictions to references, windows and alarms, version by version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from relearn_monitoring.alerting import Spoke, open_shift
from relearn_monitoring.domain import detector as detectors
from relearn_monitoring.domain import drift, profile, windows
from relearn_monitoring.domain.policy import Policy, detector_run
from relearn_monitoring.domain.predictions import IntArray, Predictions, concatenated
from relearn_monitoring.domain.profile import Profile
from relearn_monitoring.domain.reference import Observed, Reference, freeze, observe
from relearn_monitoring.domain.watches import Made, Monitored, Watch
from relearn_monitoring.domain.windows import OpenWindow
from relearn_monitoring.fitted import FittedReferences
from relearn_monitoring.store import Transaction
from relearn_monitoring.windowing import close_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What counting needs beside the predictions, for one project in one transaction."""

    tx: Transaction
    policy: Policy
    monitored: Monitored
    fitted: FittedReferences
    now: datetime

    async def count(self, made: Sequence[Made]) -> set[str]:
        """Counts new predictions of one version, in order.

        Returns:
            Ids of those that went into its reference.
        """
        watch = await self.tx.watches.get(made[0].model_version_id, project_id=self.policy.project_id)
        watch = replace(watch, predictions=watch.predictions + len(made))
        columns = columns_of(made)
        collected = 0
        if not watch.reference_frozen and watch.live:
            missing = self.policy.reference_predictions - watch.collected
            collected = min(len(made), max(0, missing))
            watch = await self._collect(watch, made[:collected], columns[:collected])
        if collected < len(made):
            watch = await self._count(watch, made[collected:], columns[collected:])
        await self.tx.watches.save(watch)
        return {one.prediction_id for one in made[:collected]}

    async def close(self, watch: Watch, window: OpenWindow) -> Watch:
        """Closes a window: scores it, tells it, and opens an alert when it is the second one over in a row."""
        scores: tuple[drift.DriftScore, ...] = ()
        if window.profile.reference_id and window.profile.n >= windows.MIN_SCORED:
            reference = await self.fitted.reference(self.tx, window.profile.reference_id)
            calibration = await self.fitted.calibration(reference, predictions=window.profile.n, policy=self.policy)
            scores = tuple(drift.scores(reference, window.profile, calibration))
        closed = await close_window(self.tx, window, scores=scores, causes=(), now=self.now)
        moved = next((score for score in scores if score.signal == "frechet" and score.over), None)
        watch = replace(watch, windows_over=watch.windows_over + 1 if moved else 0)
        if moved and watch.windows_over >= windows.OVER_IN_A_ROW:
            spoke = Spoke(
                detector="windows/frechet",
                value=moved.value,
                threshold=moved.threshold,
                window_id=closed.window_id,
                predicted_at=window.start_at,
                reason=f"embeddings of a predicted label moved in {watch.windows_over} windows in a row",
                causes=(closed.window_id,),
            )
            await self._alarm(watch, spoke)
        return watch

    async def _collect(self, watch: Watch, made: Sequence[Made], predictions: Predictions) -> Watch:
        """More for the reference; the last one freezes it. A window never mixes predictions before and after."""
        if made:
            await self.tx.references.add_part(watch.reference_id, predictions)
            watch = replace(watch, collected=watch.collected + len(made))
            watch = await self._windows(watch, made, lambda rows: profile.profile_before(predictions[rows]))
        if watch.collected < self.policy.reference_predictions:
            return watch
        parts = await self.tx.references.take_parts(watch.reference_id)
        frozen = freeze(concatenated(parts), reference_id=watch.reference_id)
        await self.tx.references.freeze(frozen, model_version_id=watch.model_version_id, now=self.now)
        watch = replace(watch, reference_frozen=True, since_frozen=0)
        if (window := await self.tx.windows.open(watch.model_version_id)) is not None:
            watch = await self.close(watch, window)
        return watch

    async def _count(self, watch: Watch, made: Sequence[Made], predictions: Predictions) -> Watch:
        """Predictions against the frozen reference, or of a version that is out of the route and has none."""
        if not watch.reference_frozen:
            return await self._windows(watch, made, lambda rows: profile.profile_before(predictions[rows]))
        reference = await self.fitted.reference(self.tx, watch.reference_id)
        observed = observe(reference, predictions)
        if watch.live:
            await self._detect(watch, reference, made, observed)
        watch = replace(watch, since_frozen=watch.since_frozen + len(made))
        return await self._windows(watch, made, lambda rows: profile.profile_of(observed[rows], reference))

    async def _detect(self, watch: Watch, reference: Reference, made: Sequence[Made], observed: Observed) -> None:
        """Feeds the e-detector of each shard, unless an alert of the version is live already."""
        if await self.tx.alerts.live(watch.model_version_id) is not None:
            return
        scores = observed.scores(reference)
        run = detector_run(self.policy, shards=self.monitored.shards)
        for key in sorted({one.partition_key for one in made}):
            rows = np.array([index for index, one in enumerate(made) if one.partition_key == key])
            state = await self.tx.detectors.get(watch.model_version_id, key)
            if state is None or state.limits != reference.limits:
                state = detectors.fresh(reference.limits)
            state, alarm = detectors.watch(state, scores[rows], run=run)
            await self.tx.detectors.save(watch.model_version_id, key, state)
            if alarm is not None:
                at = made[int(rows[alarm.index])]
                counted = replace(watch, since_frozen=watch.since_frozen + int(rows[alarm.index]) + 1)
                spoke = Spoke(
                    detector="e-detector/confidence+rank" if len(reference.limits) > 1 else "e-detector/confidence",
                    value=alarm.value,
                    threshold=run,
                    prediction_id=at.prediction_id,
                    predicted_at=at.predicted_at,
                    reason=_why(observed, reference, rows[: alarm.index + 1]),
                    causes=(at.event_id,),
                )
                await self._alarm(counted, spoke)
                return

    async def _alarm(self, watch: Watch, spoke: Spoke) -> None:
        if watch.live and await self.tx.alerts.live(watch.model_version_id) is None:
            reference = await self.fitted.reference(self.tx, watch.reference_id)
            await open_shift(self.tx, watch, reference, spoke, policy=self.policy, now=self.now)

    async def _windows(self, watch: Watch, made: Sequence[Made], profile_of: Callable[[slice], Profile]) -> Watch:
        """Fills windows, closing each that is full."""
        start = 0
        while start < len(made):
            window = await self.tx.windows.open(watch.model_version_id)
            room = max(1, self.policy.window_predictions - (window.profile.n if window else 0))
            rows = slice(start, start + room)
            watch = await self._window(watch, window, made[rows], profile_of(rows))
            start += room
        return watch

    async def _window(self, watch: Watch, window: OpenWindow | None, made: Sequence[Made], added: Profile) -> Watch:
        """Adds to the open window, or opens one; closes it when it is full."""
        times = [one.predicted_at for one in made]
        if window is None:
            watch = replace(watch, window_number=watch.window_number + 1)
            window = OpenWindow(
                model_version_id=watch.model_version_id,
                project_id=watch.project_id,
                number=watch.window_number,
                profile=added,
                start_at=min(times),
                end_at=max(times),
                opened_at=self.now,
                last_event_id=made[-1].event_id,
            )
        else:
            window = replace(
                window,
                profile=profile.merge(window.profile, added),
                start_at=min(window.start_at, *times),
                end_at=max(window.end_at, *times),
                last_event_id=made[-1].event_id,
            )
        if window.profile.n >= self.policy.window_predictions:
            return await self.close(watch, window)
        await self.tx.windows.save_open(window)
        return watch


def columns_of(made: Sequence[Made]) -> Predictions:
    """Predictions as columns.

    Raises:
        InvalidInput: they differ in the size of their embeddings.
    """
    parts = {len(one.embedding) for one in made}
    if len(parts) > 1:
        return concatenated([_column(one) for one in made])  # says which sizes there are
    return Predictions(
        probabilities=np.stack([one.probabilities for one in made]),
        embeddings=np.stack([one.embedding for one in made]),
        statistics=np.stack([one.statistics for one in made]),
    )


def _column(made: Made) -> Predictions:
    return Predictions(
        probabilities=made.probabilities[None], embeddings=made.embedding[None], statistics=made.statistics[None]
    )


def _why(observed: Observed, reference: Reference, rows: IntArray) -> str:
    """One line for people: what the last predictions look like beside the reference."""
    last = rows[-30:]
    confidence = float(observed.predictions.confidence[last].mean())
    usual = float(reference.predictions.confidence.mean())
    text = f"mean confidence of the last {len(last)} predictions {confidence:.2f}, usually {usual:.2f}"
    if reference.components:
        text += f"; distance rank {float(observed.ranks[last].mean()):.2f}, usually 0.50"
    return text
