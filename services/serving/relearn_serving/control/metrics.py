"""Every metric that control emits. An id is never a label."""

from prometheus_client import Counter, Histogram

ROUTE_CHANGES = Counter("relearn_control_route_changes_total", "Changes of routes", ["outcome"])
IN_FORCE = Histogram(
    "relearn_control_route_in_force_seconds",
    "From the change of a route until the last live gateway had it in force",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
