"""docker-compose.yml follows its specification and says the same as the local stack."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from relearn_local.compose import OBJECTS_FOLDER, SPOOL_FOLDER, surroundings, write_secrets
from relearn_local.kafka import KAFKA, ONE_NODE
from relearn_local.services import SERVICES, ServiceProcess, database_variable, environment
from relearn_local.stack import Home

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(FILE.read_text())


def test_the_file_follows_the_compose_specification():
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]

    checked = subprocess.run(command, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_runs_the_same_processes_as_the_local_stack(compose):
    assert set(compose["services"]) == {"kafka", "postgres", "prepare", *(service.name for service in SERVICES)}


@each_service
def test_each_process_has_the_command_of_the_local_stack(compose, service: ServiceProcess):
    assert compose["services"][service.name]["command"] == ["python", "-m", service.module]


@each_service
def test_each_process_has_the_variables_of_the_local_stack(compose, service: ServiceProcess):
    assert compose["services"][service.name]["environment"] == environment(service, surroundings())


@each_service
def test_each_process_is_built_from_the_dockerfile_of_its_service(compose, service: ServiceProcess):
    dockerfile = compose["services"][service.name]["build"]["dockerfile"]

    assert dockerfile == f"services/{service.package}/Dockerfile"
    assert (ROOT / dockerfile).exists()


@each_service
def test_each_process_keeps_its_files_on_the_volumes_it_shares(compose, service: ServiceProcess):
    volumes = set(compose["services"][service.name].get("volumes", []))

    assert (f"objects:{OBJECTS_FOLDER}" in volumes) == service.objects
    assert (f"spool:{SPOOL_FOLDER}" in volumes) == service.spool


def test_every_published_port_is_bound_to_the_loopback_interface(compose):
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_the_preparation_gets_the_databases_of_all_services(compose):
    variables = compose["services"]["prepare"]["environment"]
    urls = {database_variable(s): surroundings().database_urls[s.name] for s in SERVICES if s.database}

    assert {name: value for name, value in variables.items() if name in urls} == urls


def test_the_broker_has_the_version_and_the_settings_of_the_local_one(compose):
    broker = compose["services"]["kafka"]
    settings = {f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in ONE_NODE.items()}

    assert broker["image"] == "apache/kafka:" + KAFKA.rpartition(":")[2]
    assert settings.items() <= broker["environment"].items()


def test_the_database_server_has_the_major_version_of_the_local_one(compose, postgres_version):
    assert compose["services"]["postgres"]["image"].startswith(f"postgres:{postgres_version.split('.')[0]}.")


def test_the_generated_secrets_fill_every_variable_of_the_file(tmp_path):
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", FILE.read_text()))

    env_file = write_secrets(Home(path=tmp_path / "compose"))
    variables = dict(line.split("=", 1) for line in env_file.read_text().splitlines())

    assert wanted == set(variables)
    assert all(variables.values())
    assert env_file.stat().st_mode & 0o077 == 0


@pytest.fixture(scope="module")
def postgres_version() -> str:
    from relearn_local.postgres import binaries

    shown = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return shown.split()[-1]
