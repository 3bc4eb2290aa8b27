"""The loop closes although its services are killed again and again.

`make test` runs one seed; `make chaos` runs CHAOS_SEEDS of them, with Kafka and PostgreSQL among the victims.
"""

import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from demo import Demo, command
from killer import SERVICES, Killer

SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "1")))
SERVERS = ("kafka", "postgres") if "CHAOS_SEEDS" in os.environ else ()
ROUNDS = 2
LOOP_S = 170.0  # about as long as the loop takes, so that the kills are spread over it


@pytest.mark.parametrize("seed", SEEDS)
def test_each_service_is_killed_twice_and_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    victims = SERVICES + SERVERS
    killer = Killer(
        tmp_path / "stack", names=victims, rounds=ROUNDS, every_s=LOOP_S / (ROUNDS * len(victims)), seed=seed
    )

    with subprocess.Popen(
        command(tmp_path, seed=seed), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        _wait_for(tmp_path / "events.jsonl")
        killer.start()
        output, _ = process.communicate(timeout=1200)
        killer.stop()
    demo = Demo(folder=tmp_path, exit_code=process.returncode, output=output)
    demo.local("down")

    assert Counter(name for _, name in killer.killed) == dict.fromkeys(victims, ROUNDS), output
    assert demo.ledger.problems() == [], output
    broken = [check["name"] for check in demo.report["checks"] if not check["passed"]]
    assert set(broken) <= {"every request answered"}, output  # a killed gateway answers nobody


def _wait_for(path: Path) -> None:
    give_up_at = time.monotonic() + 180
    while not path.exists():
        assert time.monotonic() < give_up_at, f"{path} did not appear"
        time.sleep(0.5)
