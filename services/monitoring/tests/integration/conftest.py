"""A running monitoring service a test; `monitoring_world` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from monitoring_world import Clock, FakeDatasets, running


@pytest.fixture
async def datasets():
    """Datasets, as far as monitoring calls it."""
    fake = FakeDatasets()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def monitoring(postgres_url, kafka, tokens, datasets, tmp_path):
    """Monitoring, knowing no project."""
    async with running(postgres_url, kafka, tokens, datasets, tmp_path, Clock()) as world:
        yield world
