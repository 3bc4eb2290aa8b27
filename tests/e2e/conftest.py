"""One local stack and one run of the demo for all end-to-end tests."""

from collections.abc import Iterator

import pytest
from demo import Demo, run, stack_of


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, run once; its stack is up."""
    folder = tmp_path_factory.mktemp("demo")
    try:
        yield run(folder, seed=0)
    finally:
        stack_of(folder).down()
