"""`python -m relearn_training`: one process of the service."""

from __future__ import annotations

from relearn_runtime import run
from relearn_training.app import build
from relearn_training.config import Config


def main() -> None:
    """Runs until SIGTERM."""
    run("training", Config, build)


if __name__ == "__main__":
    main()
