"""Settings of monitoring, from the environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relearn_runtime import RuntimeConfig
from relearn_runtime.settings import Address


class Config(RuntimeConfig):
    """What every service has, where datasets is, and where large inputs lie."""

    model_config = SettingsConfigDict(env_prefix="MONITORING_", frozen=True, extra="ignore", hide_input_in_errors=True)

    datasets_address: Address = Field(description="gRPC of datasets, which must have a sample before its flag exists")
    object_store_url: str = Field(
        pattern=r"^[a-z][a-z0-9+]*://",
        description="Where gateways leave large inputs and runs their references: file:///folder or s3://bucket/prefix",
    )
    picks_every_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="How often picks are looked for when nothing said that there are any",
    )
    select_every_s: float = Field(default=0.5, gt=0, le=60, description="How often it is seen whether to select inputs")
    windows_every_s: float = Field(default=1.0, gt=0, le=60, description="How often windows are closed by time")
