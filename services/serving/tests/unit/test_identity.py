"""The gateway's name and counter, over the death of its process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relearn_runtime import new_id
from relearn_serving.gateway.identity import Identity, SpoolInUse

KILLED = """
import os, signal, sys
from pathlib import Path
from relearn_serving.gateway.identity import Identity
identity = Identity(Path(sys.argv[1]), new_id=lambda: "11111111-1111-4111-8111-111111111111")
identity.draw(40)
identity.draw(2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_gateway_that_was_killed_goes_on_counting_where_it_stopped(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)

    identity = Identity(tmp_path, new_id=new_id)

    assert killed.returncode == -signal.SIGKILL
    assert identity.gateway_id == "11111111-1111-4111-8111-111111111111"
    assert identity.life == "11111111-1111-4111-8111-111111111111/2"
    assert identity.draw(3) == 43
    assert identity.last == 45
    identity.close()


def test_a_clean_stop_keeps_name_and_count(tmp_path: Path) -> None:
    first = Identity(tmp_path, new_id=new_id)
    first.draw(7)
    first.close()

    second = Identity(tmp_path, new_id=new_id)

    assert second.gateway_id == first.gateway_id
    assert second.draw(1) == 8
    second.close()


def test_two_gateways_cannot_share_a_directory(tmp_path: Path) -> None:
    first = Identity(tmp_path, new_id=new_id)

    with pytest.raises(SpoolInUse):
        Identity(tmp_path, new_id=new_id)

    first.close()
