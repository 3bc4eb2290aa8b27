"""`python -m relearn_console`: one process of the console."""

from __future__ import annotations

from relearn_console.app import build
from relearn_console.config import Config
from relearn_runtime import run


def main() -> None:
    """Runs until SIGTERM."""
    run("console", Config, build)


if __name__ == "__main__":
    main()
