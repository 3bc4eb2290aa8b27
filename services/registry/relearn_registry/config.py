"""Settings of the registry, from the environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relearn_runtime import RuntimeConfig
from relearn_runtime.settings import Address


class Config(RuntimeConfig):
    """What every service has, where models lie, and whom `Why` asks."""

    model_config = SettingsConfigDict(env_prefix="REGISTRY_", frozen=True, extra="ignore", hide_input_in_errors=True)

    object_store_url: str = Field(min_length=1, description="file:///... or s3://bucket/prefix; models/ is ours")
    control_address: Address = Field(description="Serving control, asked by Why")
    monitoring_address: Address = Field(description="Monitoring, asked by Why")
    labeling_address: Address = Field(description="Labeling, asked by Why")
    datasets_address: Address = Field(description="Datasets, asked by Why")
    training_address: Address = Field(description="Training, asked by Why")
    why_deadline_s: float = Field(default=3.0, gt=0, le=30, description="How long Why waits for one service")
    gate_every_s: float = Field(default=0.5, gt=0, le=60, description="How often waiting versions are looked at")
    copy_lease_s: float = Field(
        default=10.0, gt=0, le=3600, description="After this long a copy that nobody finished is begun again"
    )
