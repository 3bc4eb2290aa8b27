"""The lock and the tool that makes it."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment():
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_names_no_address():
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_the_lock_has_a_hash_for_every_package():
    text = (ROOT / "requirements.lock").read_text()

    pinned = re.findall(r"^\S+==\S+.*$", text, re.MULTILINE)

    assert [line for line in pinned if not line.endswith("\\")] == []


def test_the_lock_holds_what_every_package_declares(environment):
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    ours = {tomllib.loads(path.read_text())["project"]["name"] for path in environment.our_packages()}

    declared = {environment.name(line) for path in environment.our_packages() for line in environment.declared(path)}
    tools = {environment.name(line) for line in environment.development_tools()}

    assert (declared | tools) - ours - locked == set()


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("numpy>=2,<3", "numpy"),
        ("tritonclient[grpc]>=2.73", "tritonclient"),
        ("ruamel.yaml", "ruamel-yaml"),
        ("A_b~=1", "a-b"),
    ],
)
def test_the_name_of_a_requirement_is_normalised(environment, requirement, name):
    assert environment.name(requirement) == name


def test_what_pip_is_configured_for_reaches_uv(environment, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_CERT", "/certificates.pem")

    found = environment.from_pip_configuration()

    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert found["SSL_CERT_FILE"] == "/certificates.pem"


def test_a_small_disk_is_refused_before_anything_is_downloaded(environment, monkeypatch):
    monkeypatch.setattr(environment, "LATER_INSTALL_BYTES", 2**60)

    with pytest.raises(SystemExit, match=r"(?s)Too little disk for the virtual environment: .* nothing was"):
        environment.refuse_small_disk()


def test_an_environment_whose_making_was_interrupted_is_made_again(environment, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # nothing is downloaded: what is asked is how it ends

    with pytest.raises(SystemExit, match="pip could not install uv"):
        environment.ensure_uv()

    assert environment.succeeds(tmp_path / ".venv" / "bin" / "python", "-m", "pip", "--version")


def test_a_setup_that_was_interrupted_leaves_no_stamp(environment, tmp_path, monkeypatch):
    stamp = tmp_path / "stamp.json"
    stamp.write_text('{"lock": "of another time", "packages": {}}')
    monkeypatch.setattr(environment, "STAMP", stamp)
    monkeypatch.setattr(environment, "LOCK", tmp_path / "none.lock")
    monkeypatch.setattr(environment, "ROOT", tmp_path)

    with pytest.raises(SystemExit, match="could not be installed"):
        environment.setup()  # there is no such lock to install

    assert not stamp.exists()
