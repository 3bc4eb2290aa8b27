"""Makes the one virtual environment of this repository, and the lock it is made from.

Runs on any Python 3.11+ with nothing installed: `python3 tools/environment.py setup | lock`.
Both use uv, itself installed from the package index that pip is configured for.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "relearn-setup.json"
PACKAGES = (
    "libs/*/pyproject.toml",
    "services/*/pyproject.toml",
    "deploy/local/pyproject.toml",
    "examples/*/pyproject.toml",
)
FRESH_INSTALL_BYTES = 9 * 2**30  # torch and its CUDA libraries are most of it
LATER_INSTALL_BYTES = 1 * 2**30
PIP_SETTING = re.compile(r"^(?::env:|global|install|user|site)\.([a-z-]+)='(.*)'$", re.MULTILINE)
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def main() -> None:
    """Does what the command line asks; exits with a message a person can act on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["setup", "lock"])
    command = parser.parse_args().command
    with alone():
        {"setup": setup, "lock": lock}[command]()


def setup() -> None:
    """Brings .venv to the lock and installs our packages as editable; does nothing when nothing changed."""
    done = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    locked = digest(LOCK)
    if done.get("lock") != locked:
        refuse_small_disk()
        ensure_uv()
        STAMP.unlink(missing_ok=True)  # until all is in place, nothing is
        if not uv("pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", str(LOCK)):
            sys.exit("the packages of requirements.lock could not be installed; the message above says why")
        done = {"lock": locked, "packages": {}}  # sync has removed what is not in the lock, our packages too
        STAMP.write_text(json.dumps(done))
    wanted = {str(p.parent.relative_to(ROOT)): digest(p, *generated_from(p.parent)) for p in our_packages()}
    installed = {path: now for path, now in wanted.items() if done["packages"].get(path) == now}
    for path in wanted.keys() - installed.keys():
        # one by one, so that a package that is just being written stops nobody else's
        if install_editable(ROOT / path):
            installed[path] = wanted[path]
            STAMP.write_text(json.dumps({"lock": locked, "packages": installed}, indent=1))
    if broken := sorted(wanted.keys() - installed.keys()):
        sys.exit(f"could not be installed: {', '.join(broken)}; the messages above say why")


def install_editable(package: Path) -> bool:
    """Installs one of our packages, generating what it generates; whether that worked (uv says why not)."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--compile-bytecode"]
    return uv("pip", "install", *options, "-e", str(package))


def lock() -> None:
    """Resolves what all packages and the tools of the root project declare into requirements.lock."""
    ensure_uv()
    ours = {name(tomllib.loads(p.read_text())["project"]["name"]) for p in our_packages()}
    wanted = [line for p in our_packages() for line in declared(p)] + development_tools()
    third_party = sorted({line for line in wanted if name(line) not in ours})
    options = [
        "--universal",
        "--python-version=3.11",
        "--no-emit-index-url",
        "--no-header",
        "--no-annotate",
        "--generate-hashes",
    ]
    resolved = uv("pip", "compile", "--quiet", *options, "--output-file", str(LOCK), "-", stdin="\n".join(third_party))
    if not resolved:
        sys.exit("what the packages declare does not resolve together; the message above says why")


def our_packages() -> list[Path]:
    """The pyproject.toml of every package, libraries first."""
    return [path for pattern in PACKAGES for path in sorted(ROOT.glob(pattern))]


def declared(pyproject: Path) -> list[str]:
    """Requirements of a package: at run time, in its extras, and to build it."""
    content = tomllib.loads(pyproject.read_text())
    extras = content["project"].get("optional-dependencies", {}).values()
    built_with = content.get("build-system", {}).get("requires", [])
    return [*content["project"].get("dependencies", []), *(line for extra in extras for line in extra), *built_with]


def development_tools() -> list[str]:
    """Requirements of the root project: what builds, checks and tests the others."""
    groups: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return [line for group in groups.values() for line in group]


def name(requirement: str) -> str:
    """The normalised project name at the start of a requirement line."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def generated_from(package: Path) -> list[Path]:
    """Files outside of Python modules that an installation of the package is generated from."""
    if package.name != "contracts":
        return []
    return sorted(
        [
            *(ROOT / "proto").rglob("*.proto"),
            *(ROOT / "proto").rglob("*.yaml"),
            package / "relearn_contracts" / "build.py",
            package / "hatch_build.py",
        ]
    )


def digest(*paths: Path) -> str:
    """SHA-256 over names and contents; a missing file counts as empty."""
    total = hashlib.sha256()
    for path in paths:
        total.update(str(path.relative_to(ROOT)).encode())
        total.update(path.read_bytes() if path.exists() else b"")
    return total.hexdigest()


def refuse_small_disk() -> None:
    """Says how much is missing before anything is downloaded."""
    fresh = not any(VENV.glob("lib/python*/site-packages/torch"))
    need = FRESH_INSTALL_BYTES if fresh else LATER_INSTALL_BYTES
    cache = Path(os.environ.get("UV_CACHE_DIR", Path.home() / ".cache" / "uv"))
    for what, place in {"the virtual environment": ROOT, "uv's cache": existing(cache)}.items():
        free = shutil.disk_usage(place).free
        if free < need:
            sys.exit(
                f"Too little disk for {what}: {place} has {free / 2**30:.1f} GiB free, {need / 2**30:.0f} GiB are "
                "needed.\nFree some, or point UV_CACHE_DIR to a larger disk; nothing was downloaded."
            )


def existing(path: Path) -> Path:
    """The path itself or its nearest parent that is there."""
    return path if path.exists() else existing(path.parent)


def ensure_uv() -> None:
    """Creates .venv and installs uv into it with pip, at the version of the lock when it names one."""
    python = VENV / "bin" / "python"
    if (VENV / "bin" / "uv").exists():
        return
    has_pip = python.exists() and succeeds(python, "-m", "pip", "--version")  # not where making it was interrupted
    if not has_pip and not succeeds(sys.executable, "-m", "venv", "--clear", VENV):
        sys.exit("Could not create .venv: is Python's venv module installed? (Debian: apt-get install python3-venv)")
    pinned = re.search(r"^uv==([\w.]+)", LOCK.read_text() if LOCK.exists() else "", re.MULTILINE)
    requirement = f"uv=={pinned[1]}" if pinned else "uv"
    if not succeeds(python, "-m", "pip", "install", "--quiet", requirement):
        sys.exit(f"pip could not install {requirement}; the message above says why. Run make setup again when it can.")


def succeeds(*command: str | Path) -> bool:
    """Whether a command ends well; its output is shown where it says something."""
    return subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


def uv(*arguments: str, stdin: str | None = None) -> bool:
    """Runs uv on .venv with the configuration of pip; whether it succeeded (it has said why not)."""
    environment = {**from_pip_configuration(), **os.environ, "VIRTUAL_ENV": str(VENV)}
    return (
        subprocess.run([VENV / "bin" / "uv", *arguments], input=stdin, text=True, cwd=ROOT, env=environment).returncode
        == 0
    )


def from_pip_configuration() -> Mapping[str, str]:
    """Index, proxy and certificates as pip has them on this machine, in the names uv reads."""
    listed = subprocess.run(
        [VENV / "bin" / "python", "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    return {PIP_TO_UV[key]: value for key, value in PIP_SETTING.findall(listed) if key in PIP_TO_UV}


@contextmanager
def alone() -> Iterator[None]:
    """Holds a lock, so that two setups at once wait for each other instead of fighting over .venv."""
    with (ROOT / ".setup.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
