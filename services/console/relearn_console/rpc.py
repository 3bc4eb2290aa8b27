"""What the console is asked itself: links to media."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

import grpc.aio

from relearn.console.v1 import media_service_pb2 as pb
from relearn.console.v1.media_service_pb2_grpc import MediaServiceServicer
from relearn_console.clients import Samples
from relearn_console.links import Links, Target, View
from relearn_console.preparing import NotPrepared, Preparing, Shown
from relearn_runtime import Now
from relearn_runtime.errors import InvalidInput

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_PATIENCE_S = 0.3  # what is made quickly needs no second question


class MediaRpc(MediaServiceServicer):
    """Whether the caller may see a sample is what datasets says of their token."""

    def __init__(self, *, samples: Samples, preparing: Preparing, links: Links, now: Now) -> None:
        self._samples, self._preparing, self._links, self._now = samples, preparing, links, now

    async def GetMedia(self, request: pb.GetMediaRequest, context: Context) -> pb.GetMediaResponse:
        if not request.sample_id:
            raise InvalidInput("sample_id is required")
        sha256 = await self._samples.sha256(request.sample_id, authorization=_authorization(context))
        try:
            shown = await self._preparing.look(sha256, patience_s=_PATIENCE_S)
        except NotPrepared as refused:
            return pb.GetMediaResponse(state=pb.GetMediaResponse.STATE_REFUSED, problem=str(refused))
        if shown is None:
            return pb.GetMediaResponse(state=pb.GetMediaResponse.STATE_PREPARING)
        return self._ready(sha256, shown)

    def _ready(self, sha256: str, shown: Shown) -> pb.GetMediaResponse:
        end, info = self._links.end(self._now()), shown.info
        response = pb.GetMediaResponse(
            state=pb.GetMediaResponse.STATE_READY,
            media_type=info.media_type,
            source_path=self._link(Target(view=View.SOURCE, sha256=sha256, media_type=info.media_type), end),
            view_path=self._link(shown.view, end),
            thumbnail_path=self._link(shown.thumbnail, end),
            peaks_path=self._link(shown.peaks, end),
            spectrogram_path=self._link(shown.spectrogram, end),
            width=info.width or 0,
            height=info.height or 0,
            frames=info.frames or 0,
            frames_per_second=float(info.frame_rate or 0),
            length_s=info.length_s or 0,
            code_units=info.code_units or 0,
        )
        response.expire_time.FromDatetime(end)
        return response

    def _link(self, target: Target | None, end: datetime) -> str:
        return "" if target is None else self._links.to(target, end=end)


def _authorization(context: Context) -> str:
    """The caller's own, as the permission interceptor saw it."""
    metadata = {str(name): str(value) for name, value in context.invocation_metadata() or ()}
    return metadata["authorization"]
