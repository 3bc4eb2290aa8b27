"""Where Relearn is: given as arguments, else in the environment, else in the `stack.json` of a local stack."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from relearn_client.errors import NotConfigured

SERVICES = ("registry", "datasets", "labeling", "training", "control", "monitoring")
_START = "start a local stack with `relearn up`, or say where Relearn is: RELEARN_REGISTRY=host:port and the like"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """host:port of everything a client talks to; empty where it is not known.

    Attributes:
        kafka: bootstrap servers, separated by commas.
        gateway: the Open Inference Protocol; ask it with tritonclient, not with this client.
    """

    registry: str = ""
    datasets: str = ""
    labeling: str = ""
    training: str = ""
    control: str = ""
    monitoring: str = ""
    gateway: str = ""
    kafka: str = ""

    def of(self, name: str) -> str:
        """The address of a service or of Kafka.

        Raises:
            NotConfigured: it is not known.
        """
        if address := str(getattr(self, name)):
            return address
        raise NotConfigured(
            f"the address of {name} is not known: there is neither RELEARN_{name.upper()} nor a local stack",
            reason="NO_ADDRESS",
            next_step=_START,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where to ask, and with which token; the token may be missing until a call needs it.

    Attributes:
        supervisor_lock: of the local stack that the endpoints are those of; None where they are somebody else's.
    """

    endpoints: Endpoints
    token: str
    supervisor_lock: Path | None = None

    def is_stopped(self) -> bool:
        """Whether this is a local stack that does not run: its supervisor holds a lock as long as it lives."""
        if self.supervisor_lock is None:
            return False
        import fcntl  # late: it is there wherever a local stack can be

        try:
            with self.supervisor_lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # held, or of another user
            return False
        return True

    def bearer(self) -> str:
        """The token.

        Raises:
            NotConfigured: none was found.
        """
        if self.token:
            return self.token
        raise NotConfigured("there is no token: neither RELEARN_TOKEN nor that of a local stack", next_step=_START)


def access(
    *,
    endpoints: Mapping[str, str],
    token: str | None,
    home: Path | None,
    environment: Mapping[str, str] | None = None,
) -> Access:
    """What the arguments say, filled up from the environment (`RELEARN_TOKEN`, `RELEARN_REGISTRY`, ...) and the stack.

    Args:
        home: folder of a local stack; else `RELEARN_HOME`, else `.relearn` here.

    Raises:
        NotConfigured: an unknown name among the endpoints, or a stack file that can't be read.
    """
    around = os.environ if environment is None else environment
    names = [field.name for field in fields(Endpoints)]
    if unknown := sorted(set(endpoints) - set(names)):
        raise NotConfigured(f"no endpoint is called {', '.join(unknown)}; there are {', '.join(names)}")
    folder = home or Path(around.get("RELEARN_HOME") or ".relearn")
    stack = _stack(folder / "stack.json")
    local: Mapping[str, str] = stack.get("endpoints", {})
    found = {
        name: endpoints.get(name) or around.get(f"RELEARN_{name.upper()}") or local.get(name, "") for name in names
    }
    from_stack = bool(local) and all(found[name] == address for name, address in local.items() if name in names)
    return Access(
        endpoints=Endpoints(**found),
        token=token or around.get("RELEARN_TOKEN") or _local_token(stack),
        supervisor_lock=Path(stack["lock_file"]) if from_stack and "lock_file" in stack else None,
    )


def is_local(environment: Mapping[str, str]) -> bool:
    """Whether a local stack, rather than the environment, says where Relearn is."""
    folder = Path(environment.get("RELEARN_HOME") or ".relearn")
    said = any(environment.get(f"RELEARN_{field.name.upper()}") for field in fields(Endpoints))
    return not said and (folder / "stack.json").exists()


def _stack(path: Path) -> Mapping[str, Any]:
    """What a local stack says of itself; nothing where there is none."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NotConfigured(f"{path} can't be read: {error}", next_step="`relearn up` writes it anew") from error
    return content if isinstance(content, dict) else {}


def _local_token(stack: Mapping[str, Any]) -> str:
    """The token of the person who started the stack; no one else can read its file."""
    if not (path := stack.get("token_file")):
        return ""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
