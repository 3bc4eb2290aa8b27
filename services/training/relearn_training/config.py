"""Settings of training, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relearn_runtime import RuntimeConfig
from relearn_runtime.settings import Address


class Config(RuntimeConfig):
    """What every service has, where data comes from, and what this machine may spend."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_", frozen=True, extra="ignore", hide_input_in_errors=True)

    datasets_address: Address = Field(description="gRPC of datasets")
    object_store_url: str = Field(min_length=1, description="file:///... or s3://...: reads packs/, writes runs/")
    work_dir: Path = Field(
        description="Scratch folder of this database's studies alone: folders of others in it are removed. May be "
        "deleted whenever the service is stopped",
    )
    studies_side_by_side: int = Field(default=2, ge=1, le=16, description="Studies (of different projects) at a time")
    trials_side_by_side: int = Field(default=2, ge=1, le=64, description="Child processes at a time, all studies")
    trial_niceness: int = Field(default=5, ge=0, le=19, description="Added to the priority of child processes")
    lease_s: float = Field(default=15.0, ge=1, le=600, description="A study not renewed for so long is taken over")
    child_timeout_s: float = Field(default=6 * 3600, ge=10, description="A child process running longer is killed")
    pack_timeout_s: float = Field(
        default=60, ge=1, le=86400, description="After waiting so long for a pack, another study has its turn"
    )
