"""Settings of control, from the environment (`CONTROL_...`)."""

from pydantic_settings import SettingsConfigDict

from relearn_runtime import RuntimeConfig


class Config(RuntimeConfig):
    """One control process; it has nothing of its own to set."""

    model_config = SettingsConfigDict(env_prefix="CONTROL_", frozen=True, extra="ignore", hide_input_in_errors=True)
