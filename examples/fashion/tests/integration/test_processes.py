import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fashion_demo.stack import CommandFailed, Processes


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    (tmp_path / "patient.py").write_text("import sys\nprint('ready', flush=True)\nsys.stdin.read()\nprint('bye')\n")
    (tmp_path / "brief.py").write_text("print('no such model')\nraise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = Processes(home=tmp_path / "stack", logs=tmp_path / "logs")
    yield running
    running.stop_all()


def wait_for(path: Path, text: str) -> None:
    give_up_at = time.monotonic() + 60
    while text not in (path.read_text() if path.exists() else ""):
        assert time.monotonic() < give_up_at, f"{text!r} did not come"
        time.sleep(0.02)


def check_again_and_again(processes: Processes) -> None:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        processes.check()
        time.sleep(0.02)


def test_a_process_that_ends_is_missed_with_what_it_said(processes: Processes, tmp_path: Path):
    processes.start("product", "brief", [])
    wait_for(tmp_path / "logs" / "product.log", "no such model")

    with pytest.raises(CommandFailed, match=r"product ended with 3, (.|\n)*no such model"):
        check_again_and_again(processes)


def test_a_stopped_process_ends_by_itself_and_is_not_missed(processes: Processes, tmp_path: Path):
    processes.start("product", "patient", [])
    wait_for(tmp_path / "logs" / "product.log", "ready")

    processes.stop("product")
    processes.check()

    wait_for(tmp_path / "logs" / "product.log", "bye")


def test_a_process_ends_when_the_demo_is_killed(processes: Processes, tmp_path: Path):
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import os, signal\nfrom pathlib import Path\nfrom fashion_demo.stack import Processes\n"
        f"p = Processes(home=Path({str(tmp_path)!r}), logs=Path({str(tmp_path / 'logs')!r}))\n"
        "p.start('orphan', 'patient', [])\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )

    subprocess.run([sys.executable, str(parent)], timeout=60)

    wait_for(tmp_path / "logs" / "orphan.log", "bye")


def test_a_failing_command_of_the_stack_says_what_it_printed(processes: Processes):
    said: list[str] = []

    with pytest.raises(CommandFailed, match=r"relearn nonsense failed:(.|\n)*nonsense"):
        processes.local("nonsense", say=said.append)

    assert said
