"""`python -m relearn_serving.control`: runs control until SIGTERM or SIGINT."""

from relearn_runtime import run
from relearn_serving.control.app import build
from relearn_serving.control.config import Config


def main() -> None:
    run("control", Config, build)


if __name__ == "__main__":
    main()
