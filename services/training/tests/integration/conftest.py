"""A running training service a test; `training_world` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_world import World, playing_datasets


@pytest.fixture
async def world(postgres_url, kafka, tokens, tmp_path):
    """Kafka, PostgreSQL, object storage and a datasets service that is played; training itself is not started."""
    async with playing_datasets(tmp_path / "objects") as datasets:
        world = World(kafka=kafka, tokens=tokens, database_url=postgres_url, folder=tmp_path, datasets=datasets)
        yield world
        await world.close()


@pytest.fixture
async def training(world):
    """The same with training running in this process."""
    async with world.running():
        yield world
