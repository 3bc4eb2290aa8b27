"""The loop closes although its services are killed again and again.

`make test` runs one seed with the services as victims; `make chaos` runs CHAOS_SEEDS of them, Kafka and PostgreSQL
among the victims.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from demo import run, stack_of
from killer import END, PHASES, ROUNDS, SERVERS, SERVICES, Killer, plan

SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "1")))
VICTIMS = SERVICES + (SERVERS if "CHAOS_SEEDS" in os.environ else ())


@pytest.mark.parametrize("seed", SEEDS)
def test_each_service_is_killed_twice_while_the_loop_runs_and_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    stack = stack_of(tmp_path)

    try:
        with Killer(tmp_path, stack=stack, victims=plan(VICTIMS, seed=seed), seed=seed) as killer:
            demo = run(tmp_path, seed=seed)
    finally:
        stack.down()

    finished = next((event.time for event in demo.books.events if END(event)), None)
    assert finished is not None, demo.output
    assert Counter(kill.name for kill in killer.killed if kill.time < finished) == dict.fromkeys(VICTIMS, ROUNDS)
    assert demo.books.problems() == [], demo.output
    assert demo.books.open_ends() == [], demo.output
    broken = {check["name"] for check in demo.report["checks"] if not check["passed"]}
    assert broken <= {"every request answered"}, demo.output  # a killed gateway answers nobody


@pytest.mark.parametrize("victims", [SERVICES, SERVICES + SERVERS])
@pytest.mark.parametrize("seed", range(20))
def test_a_plan_kills_each_victim_twice_in_different_phases(victims: tuple[str, ...], seed: int) -> None:
    planned = plan(victims, seed=seed)

    assert Counter(name for names in planned.values() for name in names) == dict.fromkeys(victims, ROUNDS)
    assert all(len(set(names)) == len(names) > 0 for names in planned.values())
    assert list(planned) == [phase.name for phase in PHASES]
