"""One local stack and one run of the demo for all end-to-end tests."""

from collections.abc import Iterator

import pytest
from demo import Demo, run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, run once; its stack is up."""
    finished = run(tmp_path_factory.mktemp("demo"), seed=0)
    yield finished
    finished.local("down")
