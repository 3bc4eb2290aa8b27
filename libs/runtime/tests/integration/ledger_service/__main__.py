"""`python -m ledger_service`."""

from ledger_service.app import Config, build
from relearn_runtime import run

if __name__ == "__main__":
    run("labeling", Config, build)
