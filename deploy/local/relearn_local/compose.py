"""What `docker-compose.yml` must say about our processes, and the secrets it is run with."""

from __future__ import annotations

from pathlib import Path

from relearn_local import local, tokens
from relearn_local.ports import HOST
from relearn_local.services import SERVICES, Surroundings
from relearn_local.stack import Home

HINT = "run relearn compose-secrets"
SPOOL_FOLDER = "/var/lib/relearn/spool"
SCRATCH_FOLDER = "/var/lib/relearn/scratch"  # of the container, which may lose it
OBJECTS_FOLDER = "/var/lib/relearn/objects"


def surroundings() -> Surroundings:
    """Addresses in the compose network; secrets as variables that compose fills in."""
    return Surroundings(
        listen={service.name: f"0.0.0.0:{service.port}" for service in SERVICES},
        metrics={service.name: f"0.0.0.0:{service.metrics_port}" for service in SERVICES},
        addresses={service.name: f"{service.name}:{service.port}" for service in SERVICES},
        database_urls={
            service.name: f"postgresql://{service.name}:{_variable(password_variable(service.name))}"
            f"@postgres:5432/{service.name}"
            for service in SERVICES
            if service.database
        },
        tokens={service.name: _variable(f"{service.prefix}TOKEN") for service in SERVICES if service.in_loop},
        web={service.name: f"0.0.0.0:{service.web_port}" for service in SERVICES if service.web_port is not None},
        web_secrets={
            service.name: _variable(f"{service.prefix}SECRET") for service in SERVICES if service.web_port is not None
        },
        tokens_file="/run/secrets/tokens",
        kafka_bootstrap_servers="kafka:9092",
        object_store_url=f"file://{OBJECTS_FOLDER}",
        spool_folder=SPOOL_FOLDER,
        scratch_folder=SCRATCH_FOLDER,
    )


def write_secrets(home: Home) -> Path:
    """Makes the secrets of a compose stack under its home; returns the file for `docker compose --env-file`."""
    home.path.mkdir(mode=0o711, parents=True, exist_ok=True)
    made = local.secrets(home)
    home.tokens_file.chmod(0o644)  # hashes only; the containers' user is not ours
    variables = {
        "POSTGRES_PASSWORD": made.postgres_password,
        "RELEARN_TOKENS_FILE": str(home.tokens_file),
        **{password_variable(name): password for name, password in made.database_passwords.items()},
        **{f"{name.upper()}_TOKEN": token for name, token in made.tokens.items()},
        **{f"{name.upper()}_SECRET": secret for name, secret in made.web_secrets.items()},
    }
    env_file = home.path / "compose.env"
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    tokens.write_private_text(env_file, lines)
    return env_file


def how_to_use(env_file: Path) -> list[str]:
    """What to type: to start it, and to use the `relearn` command with it (Kafka is not published, so no events)."""
    known = [service for service in SERVICES if service.in_loop]
    addresses = " ".join(f"RELEARN_{service.name.upper()}={HOST}:{service.port}" for service in known)
    return [
        "make page",  # the console's image is built with it
        f"docker compose --env-file {env_file} up --build --wait",
        f"export RELEARN_TOKEN=$(cat {env_file.with_name('token')}) {addresses}",
    ]


def password_variable(service: str) -> str:
    """The variable with the password of a service's database."""
    return f"{service.upper()}_DATABASE_PASSWORD"


def _variable(name: str) -> str:
    return f"${{{name}:?{HINT}}}"
