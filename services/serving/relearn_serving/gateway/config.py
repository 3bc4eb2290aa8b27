"""Settings of the gateway, from the environment (`GATEWAY_...`)."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relearn_runtime.settings import Address, LoopConfig


class Config(LoopConfig):
    """One gateway process."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="ignore", hide_input_in_errors=True)

    front: Literal["native", "aio"] = Field(
        default="native", description="native: ModelInfer on the Rust front; aio: everything on grpc.aio"
    )
    control_address: Address = Field(description="Where control listens")
    registry_address: Address = Field(description="Where registry listens")
    object_store_url: str = Field(min_length=1, description="file:///... or s3://...; models are read, inputs written")
    spool_dir: Path = Field(description="Own directory: identity, waiting predictions, copies of routes and models")
    spool_max_bytes: int = Field(
        default=512 << 20, ge=1 << 20, description="Predictions kept on disk while the broker is away; beyond: counted"
    )
    max_batch: int = Field(default=64, ge=1, le=1024, description="Most images in one request")
    max_request_bytes: int = Field(default=64 << 20, ge=1 << 10, description="Largest request")
    max_image_bytes: int = Field(default=16 << 20, ge=1 << 10, description="Largest encoded image")
    max_image_pixels: int = Field(default=50_000_000, ge=64, description="Largest decoded image")
    run_max: int = Field(
        default=32, ge=1, le=1024, description="Most images in one run of a model; a larger request runs whole"
    )
    decode_threads: int = Field(default=2, ge=1, le=64, description="Threads for images that are not cheap")
    decode_waiting: int = Field(default=256, ge=0, description="Requests that may wait for them; beyond: OVERLOADED")
    lane_waiting: int = Field(
        default=512, ge=1, description="Requests that may wait for one slow model; beyond: OVERLOADED"
    )
    pinned_waiting: int = Field(
        default=64, ge=1, description="Requests that may wait for pinned versions that load; beyond: OVERLOADED"
    )
    shadow_waiting: int = Field(default=512, ge=0, description="Requests that may wait for the shadow; beyond: shed")
    waiting_max_bytes: int = Field(
        default=256 << 20,
        ge=1 << 20,
        description="The same in bytes, for decoding, each slow model and the shadow on their own",
    )
    pinned_versions: int = Field(default=4, ge=1, le=64, description="Pinned versions kept beside those in routes")
