"""`python -m relearn_monitoring`: one process of the service."""

from __future__ import annotations

from relearn_monitoring.app import build
from relearn_monitoring.config import Config
from relearn_runtime import run


def main() -> None:
    """Runs until SIGTERM."""
    run("monitoring", Config, build)


if __name__ == "__main__":
    main()
