"""Settings of datasets."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relearn_runtime import RuntimeConfig


class Config(RuntimeConfig):
    """Read from the environment, DATASETS_*."""

    model_config = SettingsConfigDict(env_prefix="DATASETS_", frozen=True, extra="ignore", hide_input_in_errors=True)

    object_store_url: str = Field(
        pattern=r"^[a-z][a-z0-9+]*://", description="Where blobs and packs lie: file:///folder or s3://bucket/prefix"
    )
