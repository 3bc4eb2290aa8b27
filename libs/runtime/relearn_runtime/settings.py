"""Settings of every service process, read from the environment; a bad one stops it before it opens a port."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _address(value: str) -> str:
    """A host and port, or a Unix socket (`unix:/path`)."""
    if value.startswith("unix:"):
        return value
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) <= 65535):
        raise ValueError("must be host:port, such as 127.0.0.1:7010")
    return value


Address = Annotated[str, AfterValidator(_address)]


class ProcessConfig(BaseSettings):
    """What every process has, whatever it does."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    listen_address: Address = Field(description="Where gRPC listens; port 0 takes a free one")
    metrics_address: Address = Field(description="Where Prometheus reads /metrics; port 0 takes a free one")
    tokens_file: Path = Field(description="JSON with SHA-256 hashes of tokens, their subjects and roles")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged")
    otlp_endpoint: str | None = Field(default=None, description="OpenTelemetry collector (gRPC); unset: no traces")
    drain_timeout_s: float = Field(default=10.0, ge=0, le=600, description="Time for calls and handlers to end")


class LoopConfig(ProcessConfig):
    """What every process has that takes part in the loop: it reads or writes events, and calls others as itself."""

    kafka_bootstrap_servers: str = Field(min_length=1, description="Kafka brokers, host:port separated by commas")
    kafka_topic_prefix: str = Field(default="", description="Put before every topic and group name; for tests")
    token: SecretStr = Field(description="This service's own token, for its calls to others")


class RuntimeConfig(LoopConfig):
    """What every service with a database has."""

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    not_yet_known_deadline_s: float = Field(
        default=600.0, gt=0, le=86400, description="How long an event may wait for what another topic has not told yet"
    )
    handler_timeout_s: float = Field(default=30.0, gt=0, le=240, description="A handler that takes longer has failed")
    handler_concurrency: int = Field(default=4, ge=1, le=64, description="Partitions handled at the same time")
    inbox_retention_days: int = Field(
        default=400, ge=366, description="How long handled event ids are kept; more than the retention of any topic"
    )
    request_retention_days: int = Field(
        default=30, ge=1, description="How long answers are kept for a repeated request_id"
    )
