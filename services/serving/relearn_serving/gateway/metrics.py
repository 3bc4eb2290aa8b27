"""Every metric of the gateway, collected from its counters when Prometheus asks: no cost per request."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from relearn_serving.gateway.counters import BUCKET_BOUNDS_S, Counters
from relearn_serving.gateway.routing import version_number
from relearn_serving.gateway.tap import TapCounts

_VERSION = ("project", "version", "arm")


class GatewayMetrics(Collector):
    """Project and version are few and chosen by people; ids of requests never become labels."""

    def __init__(
        self,
        counters: Counters,
        *,
        tap: Callable[[], TapCounts],
        shed: Callable[[], int],
        lost_inputs: Callable[[], int],
        revisions: Callable[[], dict[str, int]],
    ) -> None:
        self._counters = counters
        self._tap = tap
        self._shed = shed
        self._lost_inputs = lost_inputs
        self._revisions = revisions

    def collect(self) -> Iterable[Metric]:
        predictions = CounterMetricFamily("relearn_gateway_predictions", "Predictions answered", labels=_VERSION)
        errors = CounterMetricFamily("relearn_gateway_errors", "Predictions that failed", labels=_VERSION)
        model_s = CounterMetricFamily("relearn_gateway_model_seconds", "Time in models", labels=_VERSION)
        duration = HistogramMetricFamily(
            "relearn_gateway_duration_seconds", "From arrival to answer, per prediction", labels=_VERSION
        )
        for count in self._counters.versions():
            labels = (count.project_id, version_number(count.model_version_id), count.arm.value)
            predictions.add_metric(labels, count.predictions)
            errors.add_metric(labels, count.errors)
            model_s.add_metric(labels, count.model_s)
            duration.add_metric(labels, _cumulated(count.buckets), count.gateway_s)
        refused = CounterMetricFamily("relearn_gateway_refused_requests", "Requests refused", labels=("reason",))
        for reason, number in self._counters.refusals().items():
            refused.add_metric((reason,), number)
        revision = GaugeMetricFamily("relearn_gateway_route_revision", "Revision in force", labels=("project",))
        for project, number in self._revisions().items():
            revision.add_metric((project,), number)
        yield from (predictions, errors, model_s, duration, refused, revision)
        yield from self._tap_metrics()

    def _tap_metrics(self) -> Iterable[Metric]:
        tap = self._tap()
        yield CounterMetricFamily("relearn_gateway_tap_delivered", "Predictions that Kafka has", value=tap.delivered)
        yield CounterMetricFamily("relearn_gateway_tap_spooled", "Predictions that went to disk", value=tap.spooled)
        yield CounterMetricFamily("relearn_gateway_tap_dropped", "Predictions lost, counted", value=tap.dropped)
        yield GaugeMetricFamily("relearn_gateway_spool_bytes", "Predictions waiting on disk", value=tap.waiting_bytes)
        yield CounterMetricFamily("relearn_gateway_shadows_shed", "Shadow predictions shed", value=self._shed())
        yield CounterMetricFamily(
            "relearn_gateway_inputs_lost", "Large inputs that could not be written", value=self._lost_inputs()
        )


def _cumulated(buckets: Iterable[int]) -> list[tuple[str, float]]:
    total = 0
    cumulated = []
    for bound, number in zip((*map(str, BUCKET_BOUNDS_S), "+Inf"), buckets, strict=True):
        total += number
        cumulated.append((bound, float(total)))
    return cumulated
