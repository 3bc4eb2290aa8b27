"""Settings of labeling, from the environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relearn_runtime import RuntimeConfig


class Config(RuntimeConfig):
    """What every service has, and how often the queue is swept."""

    model_config = SettingsConfigDict(env_prefix="LABELING_", frozen=True, extra="ignore", hide_input_in_errors=True)

    sweep_every_s: float = Field(
        default=1.0, gt=0, le=60, description="How often leases that ran out and abandoned tasks are looked for"
    )
    learn_every_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="How often new answers are looked for, to learn from",
    )
