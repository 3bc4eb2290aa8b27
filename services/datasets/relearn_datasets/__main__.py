"""`python -m relearn_datasets`."""

from __future__ import annotations

from relearn_datasets.app import build
from relearn_datasets.config import Config
from relearn_runtime import run


def main() -> None:
    """Runs the service until it is told to stop."""
    run("datasets", Config, build)


if __name__ == "__main__":
    main()
