"""A stack of tiny processes under the real supervisor: `stack.py PLAN.json HOME`.

PLAN.json: {name: {"port": ..., "command": [...], "after": [...], "once": bool, "health": bool}}
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from relearn_local import supervise
from relearn_local.children import MARK
from relearn_local.ports import PortClaims
from relearn_local.stack import Home
from relearn_local.supervisor import Process


def plan(home: Home, claims: PortClaims, previous: Mapping[str, str]) -> tuple[Mapping[str, int], Sequence[Process]]:
    wanted = json.loads(Path(sys.argv[1]).read_text())
    ports = {name: claims.claim(entry["port"]) for name, entry in wanted.items() if entry.get("port")}
    return ports, [process(home, name, entry, ports.get(name)) for name, entry in wanted.items()]


def process(home: Home, name: str, entry: Mapping[str, object], port: int | None) -> Process:
    command = [str(port) if part == "PORT" else str(part) for part in entry["command"]]
    return Process(
        name=name,
        command=lambda: command,
        log=home.log(name),
        folder=home.path,
        environment={**os.environ, MARK: str(home.path)},
        port=port,
        after=tuple(entry.get("after", ())),
        once=bool(entry.get("once")),
        serves_health=bool(entry.get("health")),
        grace_s=1.0,
    )


sys.exit(supervise.supervise(Home(path=Path(sys.argv[2])), plan))
