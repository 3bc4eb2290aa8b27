"""Settings of the console, from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from relearn_runtime import ProcessConfig
from relearn_runtime.settings import Address


def _origin(value: str | None) -> str | None:
    """A scheme and a host, with a port where it isn't the scheme's own."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("must be an origin, such as https://labels.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


Origin = Annotated[str | None, AfterValidator(_origin)]


class Config(ProcessConfig):
    """One console process. It has no token of its own: whatever it does, it does as the person who asks."""

    model_config = SettingsConfigDict(env_prefix="CONSOLE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    web_address: Address = Field(description="Where browsers are answered; port 0 takes a free one")
    registry_address: Address = Field(description="Where registry listens")
    labeling_address: Address = Field(description="Where labeling listens")
    datasets_address: Address = Field(description="Where datasets listens")
    object_store_url: str = Field(
        pattern=r"^[a-z][a-z0-9+]*://",
        description="Where samples' bytes are read: file:///folder or s3://bucket/prefix",
    )
    work_dir: Path = Field(description="Own folder for what browsers are shown of samples; may be deleted at any stop")
    renditions_max_bytes: int = Field(default=10 << 30, ge=1 << 20, description="How much of that is kept")
    renders_at_once: int = Field(default=1, ge=1, le=32, description="Child processes that make it, at a time")
    link_valid_s: int = Field(default=600, ge=10, le=86400, description="The least time a link to media is good for")
    public_origin: Origin = Field(
        default=None,
        description="Where browsers reach it, such as https://labels.example.org; unset: on this machine only. "
        "https makes the session's cookie Secure",
    )
    trusted_proxies: str = Field(
        default="", description="Addresses of proxies whose X-Forwarded-For and -Proto are believed, with commas"
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What sessions and links are sealed with; processes that share their load share it. "
        "Unset: made at start, and sessions end with the process",
    )
    session_hours: float = Field(default=12.0, gt=0, le=24 * 30, description="How long a session lasts")
    pages_dir: Path = Field(
        default=Path(__file__).parent / "page", description="The built page; `make page` puts it into the package"
    )
    max_request_bytes: int = Field(default=4 << 20, ge=1 << 10, description="Largest body of a call")
    call_deadline_s: float = Field(default=10.0, gt=0, le=60, description="Unary calls that ask for no other")
    stream_deadline_s: float = Field(default=600.0, gt=0, le=3600, description="Streams that ask for no other")
