"""Every process gets exactly the variables that its settings know: none is missing, none is ignored."""

import importlib

import pytest

from relearn_local import local
from relearn_local.ports import PortClaims
from relearn_local.services import SERVICES, ServiceProcess
from relearn_local.stack import Home


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    home = Home(path=tmp_path_factory.mktemp("home"))
    claims = PortClaims(avoid=local.DEFAULT_PORTS.values())
    yield {p.name: p for p in local.processes(home, port=local.ports(claims, {}, {}), secret=local.secrets(home))}
    claims.release()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_variables_of_a_process_are_the_settings_it_reads(service: ServiceProcess, processes):
    config = importlib.import_module(f"{service.module}.config").Config
    prefix = config.model_config["env_prefix"]
    given = {name for name in processes[service.name].environment if name.startswith(service.prefix)}

    known = {f"{prefix}{name}".upper() for name in config.model_fields}
    required = {f"{prefix}{name}".upper() for name, field in config.model_fields.items() if field.is_required()}

    assert required <= given <= known


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_process_accepts_the_values_it_is_given(service: ServiceProcess, processes, monkeypatch):
    config = importlib.import_module(f"{service.module}.config").Config
    for name, value in processes[service.name].environment.items():
        monkeypatch.setenv(name, value)

    config()


def test_two_stacks_side_by_side_share_no_port():
    one, other = (PortClaims(avoid=local.DEFAULT_PORTS.values()) for _ in range(2))

    ports, others = local.ports(one, {}, {}), local.ports(other, {}, {})

    assert set(ports.values()).isdisjoint(others.values())
    one.release()
    other.release()
