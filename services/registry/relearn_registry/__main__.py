"""Runs the registry: `python -m relearn_registry`."""

from relearn_registry.app import build
from relearn_registry.config import Config
from relearn_runtime import run

if __name__ == "__main__":
    run("registry", Config, build)
