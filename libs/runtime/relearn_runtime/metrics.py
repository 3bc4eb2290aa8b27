"""Every metric the runtime emits, and the page that Prometheus reads. An id is never a label."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server

_SHORT = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

BUILD_INFO = Gauge("relearn_build_info", "Version of the service; always 1", ["service", "version"])
_PARTITION = ["consumer", "topic", "partition"]
CONSUMER_LAG = Gauge("relearn_consumer_lag_messages", "Messages not handled yet", _PARTITION)
CONSUMER_LAG_S = Gauge("relearn_consumer_lag_seconds", "Age of the oldest message fetched, not handled yet", _PARTITION)
CONSUMER_ERRORS = Counter("relearn_consumer_errors_total", "Errors of the Kafka consumer", ["consumer", "error"])
HANDLER_DURATION = Histogram(
    "relearn_handler_duration_seconds", "Time to handle one event or one batch", ["topic", "outcome"], buckets=_SHORT
)
EVENTS = Counter("relearn_consumed_events_total", "Events by what became of them", ["topic", "outcome"])
OUTBOX_SIZE = Gauge("relearn_outbox_events", "Events not published yet")
OUTBOX_AGE_S = Gauge("relearn_outbox_age_seconds", "Age of the oldest event not published yet")
OUTBOX_PUBLISHED = Counter("relearn_outbox_published_events_total", "Events that Kafka acknowledged", ["topic"])
PARKED = Gauge("relearn_parked_events", "Events in the parked table", ["state"])
RPC_DURATION = Histogram("relearn_rpc_duration_seconds", "Time to answer a call", ["method", "code"], buckets=_SHORT)
JOB_ERRORS = Counter("relearn_job_errors_total", "Runs of a background job that failed", ["job"])


class AddressTaken(Exception):
    """An address cannot be bound; the message names it."""


def serve(address: str) -> tuple[str, Callable[[], None]]:
    """Starts the HTTP page; returns its real address and what stops it.

    Raises:
        AddressTaken: something listens there already.
    """
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), addr=host, registry=REGISTRY)
    except OSError as error:
        raise AddressTaken(f"can't serve metrics on {address}: {error.strerror}") from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2)

    return f"{host}:{server.server_port}", stop


def say_build(service: str) -> None:
    """Sets `relearn_build_info`."""
    distribution = "relearn-serving" if service in ("control", "gateway") else f"relearn-{service}"
    try:
        found = version(distribution)
    except PackageNotFoundError:
        found = "unknown"
    BUILD_INFO.labels(service, found).set(1)
