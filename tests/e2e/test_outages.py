"""Kafka and PostgreSQL go away under traffic: every request is answered, and afterwards nothing is missing.

Their processes are halted, not killed: their supervisor would start a killed one again within seconds.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from asking import Asker
from demo import Demo
from fashion_demo.camera import turned_camera
from fashion_demo.images import shuffled
from waiting import until

from relearn_client import Relearn, Unavailable

PROJECT = "fashion"
RATE = 20.0
AWAY_S = {"kafka": 30.0, "postgres": 10.0}


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """A process and its children stand still."""
    parent = psutil.Process(pid)
    processes = [parent, *parent.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def counted(client: Relearn) -> tuple[Counter[str], int]:
    """Predictions that monitoring has counted by version, and those it knows to be missing."""
    try:
        state = client.monitoring(PROJECT)
    except Unavailable:  # not back yet
        return Counter(), 0
    by_version = {watched.model_version_id: watched.predictions for watched in state.versions}
    return Counter(by_version), state.missing_predictions


def quiet(client: Relearn) -> tuple[Counter[str], int] | None:
    """What is counted, if nothing more comes."""
    before = counted(client)
    time.sleep(1)
    return before if counted(client) == before else None


@pytest.mark.parametrize("server", AWAY_S)
def test_a_server_that_is_away_costs_neither_an_answer_nor_a_prediction(demo: Demo, server: str) -> None:
    generator = np.random.default_rng(1)
    pictures = [turned_camera(picture.content, generator) for picture in shuffled("held-out", seed=2)]
    pid = demo.stack.pid(server)
    assert pid is not None
    with Relearn(home=demo.stack.home) as client:
        champion = client.routes(PROJECT, limit=1)[0].route.champion
        before, missing_before = until(lambda: quiet(client), "an end of the traffic before")

        with Asker(url=client.endpoints.gateway, model=PROJECT, pictures=pictures, rate=RATE) as asker:
            until(lambda: asker.answers, "an answer")
            with halted(pid):
                time.sleep(AWAY_S[server])
            until(lambda: counted(client)[0][champion] > before[champion], "a prediction that is counted")

        # a challenger may run beside the champion: what the champion answered is counted for it alone
        answered = sum(f"{PROJECT}/model/{answer.version}" == champion for answer in asker.answers)
        until(lambda: counted(client)[0][champion] - before[champion] >= answered, "the last prediction")
        after, missing = counted(client)

    assert asker.errors == []
    assert answered > RATE * AWAY_S[server] / 2
    assert after[champion] - before[champion] == answered
    assert missing == missing_before
