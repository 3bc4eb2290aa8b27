"""`python -m relearn_labeling`: one process of the service."""

from __future__ import annotations

from relearn_labeling.app import build
from relearn_labeling.config import Config
from relearn_runtime import run


def main() -> None:
    """Runs until SIGTERM."""
    run("labeling", Config, build)


if __name__ == "__main__":
    main()
