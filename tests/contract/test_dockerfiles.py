"""Dockerfiles pass hadolint, and copy the packages that their service is made of."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted([*ROOT.glob("services/*/Dockerfile"), ROOT / "deploy/local/Dockerfile"])
PYPROJECTS = [
    *ROOT.glob("libs/*/pyproject.toml"),
    *ROOT.glob("services/*/pyproject.toml"),
    *ROOT.glob("deploy/local/pyproject.toml"),
]
each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)


def test_every_service_has_a_dockerfile():
    packages = {path.parent for path in ROOT.glob("services/*/pyproject.toml")}

    assert packages == {path.parent for path in DOCKERFILES} - {ROOT / "deploy/local"}


@each_dockerfile
def test_a_dockerfile_passes_hadolint(dockerfile: Path):
    checked = subprocess.run([Path(sys.executable).parent / "hadolint", dockerfile], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@each_dockerfile
def test_a_dockerfile_copies_and_installs_exactly_the_packages_its_own_one_needs(dockerfile: Path):
    text = dockerfile.read_text()
    copied = {
        path for path, target in re.findall(r"^COPY (\S+) (\S+)$", text, re.MULTILINE) if "/" in path and path == target
    }
    installed = {path.removeprefix("./") for path in re.findall(r"\./(?:libs|services|deploy)/\w+", text)}

    assert copied == installed == needed(dockerfile.parent)


@each_dockerfile
def test_a_container_does_not_run_as_root(dockerfile: Path):
    last_stage = dockerfile.read_text().rpartition("\nFROM ")[2]

    assert re.search(r"^USER [1-9]\d*$", last_stage, re.MULTILINE)


def needed(package: Path) -> set[str]:
    """Folders of the package and of ours that it depends on, all the way."""
    folders = {tomllib.loads(path.read_text())["project"]["name"]: path.parent for path in PYPROJECTS}
    todo, found = [package], set()
    while todo:
        folder = todo.pop()
        found.add(str(folder.relative_to(ROOT)))
        declared = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
        names = {re.match(r"[a-z0-9-]+", line)[0] for line in declared}
        todo += [folders[name] for name in names & folders.keys()]
    return found
