"""The processes of the local stack: Kafka, PostgreSQL, the preparation of both, and every service."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from secrets import token_hex

from relearn_local import kafka, postgres, tokens
from relearn_local.children import MARK
from relearn_local.kafka import Kafka
from relearn_local.ports import HOST, NoFreePort, PortClaims
from relearn_local.postgres import Postgres
from relearn_local.services import SERVICES, ServiceProcess, Surroundings, database_variable, environment
from relearn_local.stack import Home
from relearn_local.supervisor import Process

# Default ports by name; `<name>-metrics` where a process shows metrics, `<name>-web` where it answers browsers.
DEFAULT_PORTS = {
    "kafka": 9092,
    "kafka-controller": 9093,
    "postgres": 5432,
    **{service.name: service.port for service in SERVICES},
    **{f"{service.name}-metrics": service.metrics_port for service in SERVICES},
    **{f"{service.name}-web": service.web_port for service in SERVICES if service.web_port is not None},
}
PERSON = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What is generated at first start and kept: nobody else's password works anywhere."""

    postgres_password: str
    database_passwords: Mapping[str, str]  # by service
    tokens: Mapping[str, str]  # by service
    web_secrets: Mapping[str, str]  # by service


def ports(claims: PortClaims, previous: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, int]:
    """A port for everything that listens: the one that is set, else that of last time, else its default.

    Where that is busy, the next free one. `RELEARN_PORT_GATEWAY=9001` sets that of the gateway, and so on.
    """
    wanted = {name: int(address.rpartition(":")[2]) for name, address in previous.items()} | set_ports(environment)
    return {name: claims.claim(wanted.get(name, default)) for name, default in DEFAULT_PORTS.items()}


def set_ports(environment: Mapping[str, str]) -> dict[str, int]:
    """The ports that somebody chose, by name.

    Raises:
        NoFreePort: what a variable says is no port.
    """
    found = {}
    for name in DEFAULT_PORTS:
        variable = f"RELEARN_PORT_{name.upper().replace('-', '_')}"
        if said := environment.get(variable):
            if not said.isdecimal() or not 1 <= int(said) <= 65535:
                raise NoFreePort(f"{variable} must be a port from 1 to 65535, not {said!r}")
            found[name] = int(said)
    return found


def secrets(home: Home) -> Secrets:
    """The secrets of this stack, generated the first time, with the token of the person who starts it.

    What an older version did not know is added.
    """
    kept = json.loads(home.secrets_file.read_text()) if home.secrets_file.exists() else {}
    if not kept:
        home.tokens_file.unlink(missing_ok=True)  # of a first start that was interrupted
        tokens.write_private_text(home.token_file, tokens.add(home.tokens_file, subject=PERSON, role="engineer"))
    passwords = {service.name: token_hex(16) for service in SERVICES if service.database}
    made = Secrets(
        postgres_password=kept.get("postgres_password") or token_hex(16),
        database_passwords=passwords | kept.get("database_passwords", {}),
        tokens=kept.get("tokens", {})
        | {
            service.name: tokens.add(home.tokens_file, subject=service.name, role="service")
            for service in SERVICES
            if service.in_loop and service.name not in kept.get("tokens", {})
        },
        web_secrets={service.name: token_hex(32) for service in SERVICES if service.web_port is not None}
        | kept.get("web_secrets", {}),
    )
    if asdict(made) != kept:
        tokens.write_private(home.secrets_file, asdict(made))
    return made


def processes(home: Home, *, port: Mapping[str, int], secret: Secrets) -> list[Process]:
    """Everything the local stack runs."""
    broker = Kafka(folder=home.path / "kafka", port=port["kafka"], controller_port=port["kafka-controller"])
    database = Postgres(folder=home.path / "postgres", port=port["postgres"], password=secret.postgres_password)
    around = _surroundings(home, port=port, secret=secret, broker=broker, database=database)
    inherited = {**os.environ, MARK: str(home.path)}
    start = partial(Process, folder=home.path, environment=inherited)
    servers = [
        start(
            name="postgres",
            command=database.command,
            prepare=database.prepare,
            port=database.port,
            log=home.log("postgres"),
            stop_signal=postgres.STOP_SIGNAL,
            grace_s=postgres.STOP_GRACE_S,
        ),
        start(
            name="kafka",
            command=broker.command,
            prepare=broker.prepare,
            folder=broker.folder,
            environment=inherited | kafka.ENVIRONMENT,
            port=broker.port,
            log=home.log("kafka"),
            stop_signal=kafka.STOP_SIGNAL,
            grace_s=kafka.STOP_GRACE_S,
        ),
        start(
            name="prepare",
            command=lambda: python("relearn_local.prepare"),
            log=home.log("prepare"),
            after=("postgres", "kafka"),
            once=True,
            environment=inherited
            | {
                "PREPARE_POSTGRES_URL": database.url("postgres"),
                "PREPARE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            }
            | {database_variable(s): around.database_urls[s.name] for s in SERVICES if s.database},
        ),
    ]
    return servers + [_service(service, home, around, inherited, port[service.name]) for service in SERVICES]


def python(module: str) -> list[str]:
    """The command of a module of ours; the folder it runs in, which a person chose, is no place to import from."""
    return [sys.executable, "-P", "-m", module]


def _service(
    service: ServiceProcess, home: Home, around: Surroundings, inherited: Mapping[str, str], port: int
) -> Process:
    return Process(
        name=service.name,
        command=lambda: python(service.module),
        log=home.log(service.name),
        folder=home.path,
        environment={**inherited, **environment(service, around)},
        port=port,
        after=("prepare",),
        serves_health=True,
    )


def _surroundings(
    home: Home, *, port: Mapping[str, int], secret: Secrets, broker: Kafka, database: Postgres
) -> Surroundings:
    addresses = {service.name: f"{HOST}:{port[service.name]}" for service in SERVICES}
    objects, spool, scratch = (home.path / name for name in ("objects", "spool", "scratch"))
    for folder in (objects, spool, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    return Surroundings(
        listen=addresses,
        addresses=addresses,
        metrics={service.name: f"{HOST}:{port[service.name + '-metrics']}" for service in SERVICES},
        database_urls={
            name: database.url(name, user=name, password=password)
            for name, password in secret.database_passwords.items()
        },
        tokens=secret.tokens,
        web={name: f"{HOST}:{port[name + '-web']}" for name in secret.web_secrets},
        web_secrets=secret.web_secrets,
        tokens_file=str(home.tokens_file),
        kafka_bootstrap_servers=broker.bootstrap_servers,
        object_store_url=objects.as_uri(),
        spool_folder=str(spool),
        scratch_folder=str(scratch),
    )
