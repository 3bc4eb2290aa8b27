import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# a demo without a stack: whatever command of the stack it is asked for does what the test wants
STACK = """
import os, sys, time
print("kafka: starting", flush=True)
if sys.argv[1] == "up":
    open(os.environ["STARTED"], "w").close()
    {up}
"""


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def start(*, up: str) -> subprocess.Popen:
        package = tmp_path / "path" / "relearn_local"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(STACK.format(up=up))
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "path"), "STARTED": str(tmp_path / "started")}
        command = [sys.executable, "-m", "fashion_demo", f"--folder={tmp_path / 'demo'}"]
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    return start


def report(tmp_path: Path) -> dict:
    content = json.loads((tmp_path / "demo" / "report.json").read_text())
    content.pop("duration_s")
    return content


def test_a_stack_that_does_not_start_is_said_in_words(demo, tmp_path: Path):
    with demo(up="sys.exit('no disk')") as process:
        told, problem = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "✗ start Kafka, PostgreSQL and the services" in told
    assert "relearn up failed:\nkafka: starting\nno disk\n\nLogs: " in problem
    assert "Traceback" not in problem
    assert report(tmp_path) == {"closed": False, "reason": "relearn up failed:\nkafka: starting\nno disk"}
    assert "Traceback" in (tmp_path / "demo" / "logs" / "demo.log").read_text()


def test_ctrl_c_stops_everything_and_says_so(demo, tmp_path: Path):
    with demo(up="time.sleep(60)") as process:
        give_up_at = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < give_up_at:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, problem = process.communicate(timeout=60)

    assert process.returncode == 130
    assert problem.startswith("\ninterrupted\n")
    assert report(tmp_path) == {"closed": False, "reason": "interrupted"}


def test_a_second_demo_in_the_same_folder_leaves_the_first_alone(demo, tmp_path: Path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "report.json").write_text("of the first")

    with (tmp_path / "demo" / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with demo(up="pass") as process:
            _, problem = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "runs in" in problem
    assert (tmp_path / "demo" / "report.json").read_text() == "of the first"
