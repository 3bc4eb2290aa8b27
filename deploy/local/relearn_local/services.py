"""The one list of Relearn's own processes: their commands, ports and environment.

The local stack starts them from it; `docker-compose.yml` is tested to say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProcess:
    """One process of one service.

    Attributes:
        name: also its database, its token's subject and, in capitals, the prefix of its variables.
        module: run with `python -m`.
        package: folder under services/.
        port: default port of gRPC; `metrics_port` of Prometheus.
        calls: processes whose address it is told.
        web_port: where it answers browsers, if it does.
        in_loop: whether it reads or writes events and calls others as itself: what needs Kafka and a token of its own.
        database, objects, spool, scratch: whether it has a database, reads or writes objects, keeps a spool on disk,
            needs a folder for what may be lost.
    """

    name: str
    module: str
    package: str
    port: int
    metrics_port: int
    calls: tuple[str, ...] = ()
    web_port: int | None = None
    in_loop: bool = True
    database: bool = True
    objects: bool = False
    spool: bool = False
    scratch: bool = False

    @property
    def prefix(self) -> str:
        """What all its variables begin with."""
        return f"{self.name.upper()}_"


SERVICES = (
    ServiceProcess(
        name="registry",
        module="relearn_registry",
        package="registry",
        port=7010,
        metrics_port=7110,
        calls=("datasets", "labeling", "training", "control", "monitoring"),
        objects=True,
    ),
    ServiceProcess(
        name="datasets", module="relearn_datasets", package="datasets", port=7011, metrics_port=7111, objects=True
    ),
    ServiceProcess(name="labeling", module="relearn_labeling", package="labeling", port=7012, metrics_port=7112),
    ServiceProcess(
        name="training",
        module="relearn_training",
        package="training",
        port=7013,
        metrics_port=7113,
        calls=("datasets",),
        objects=True,
        scratch=True,
    ),
    ServiceProcess(name="control", module="relearn_serving.control", package="serving", port=7014, metrics_port=7114),
    ServiceProcess(
        name="monitoring",
        module="relearn_monitoring",
        package="monitoring",
        port=7015,
        metrics_port=7115,
        calls=("datasets",),
        objects=True,
    ),
    ServiceProcess(
        name="gateway",
        module="relearn_serving.gateway",
        package="serving",
        port=8001,
        metrics_port=7116,
        calls=("control", "registry"),
        database=False,
        objects=True,
        spool=True,
    ),
    ServiceProcess(
        name="console",
        module="relearn_console",
        package="console",
        port=7017,
        metrics_port=7117,
        web_port=8080,
        calls=("registry", "labeling", "datasets"),
        in_loop=False,
        database=False,
        objects=True,
        scratch=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a process finds what it needs: on one machine, or in the network of a compose file.

    The mappings are by process name.
    """

    listen: Mapping[str, str]
    metrics: Mapping[str, str]
    addresses: Mapping[str, str]  # as others reach it
    database_urls: Mapping[str, str]
    tokens: Mapping[str, str]
    web: Mapping[str, str]
    web_secrets: Mapping[str, str]  # what sessions and links are sealed with
    tokens_file: str
    kafka_bootstrap_servers: str
    object_store_url: str
    spool_folder: str
    scratch_folder: str


def environment(service: ServiceProcess, around: Surroundings) -> dict[str, str]:
    """All variables that a process is configured with."""
    variables = {
        "LISTEN_ADDRESS": around.listen[service.name],
        "METRICS_ADDRESS": around.metrics[service.name],
        "TOKENS_FILE": around.tokens_file,
    }
    if service.in_loop:
        variables["KAFKA_BOOTSTRAP_SERVERS"] = around.kafka_bootstrap_servers
        variables["TOKEN"] = around.tokens[service.name]
    if service.web_port is not None:
        variables["WEB_ADDRESS"] = around.web[service.name]
        variables["SECRET"] = around.web_secrets[service.name]
    if service.database:
        variables["DATABASE_URL"] = around.database_urls[service.name]
    if service.objects:
        variables["OBJECT_STORE_URL"] = around.object_store_url
    if service.spool:
        variables["SPOOL_DIR"] = around.spool_folder
    if service.scratch:
        variables["WORK_DIR"] = f"{around.scratch_folder}/{service.name}"
    variables |= {f"{called.upper()}_ADDRESS": around.addresses[called] for called in service.calls}
    return {service.prefix + name: value for name, value in variables.items()}


def database_variable(service: ServiceProcess) -> str:
    """The variable with the URL of a service's database."""
    return f"{service.prefix}DATABASE_URL"
