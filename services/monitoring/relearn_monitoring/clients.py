"""Calls out: samples go to datasets; large inputs and provisional references come from object storage."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import numpy as np
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore, from_url
from pydantic import SecretStr
from safetensors import SafetensorError
from safetensors.numpy import load

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn.datasets.v1.dataset_version_pb2 import USE_TRAIN
from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from relearn_monitoring.domain.picks import Pick, derived_id
from relearn_monitoring.domain.skew import Provisional
from relearn_monitoring.wire import STREAMS
from relearn_runtime import channel
from relearn_runtime.errors import DependencyUnavailable, InvalidInput, NotFound
from relearn_runtime.rpc_errors import translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A sample that datasets has.

    Attributes:
        teaches: whether a label for it would be a new one to train on: it has none yet, and its group is no validation.
    """

    sample_id: str
    teaches: bool


class Datasets:
    """The datasets service, which must have a sample before its flag is written."""

    def __init__(self, address: str, *, token: SecretStr) -> None:
        self._channel: grpc.aio.Channel = channel(address, token=token)
        self._stub = DatasetsServiceStub(self._channel)

    async def put_sample(self, pick: Pick, content: bytes) -> Stored:
        """Puts the input of a pick in; the same pick again changes nothing.

        Raises:
            InvalidInput: datasets refuses the input for good.
            NotFound: datasets does not know the project yet.
            DependencyUnavailable: datasets is away.
        """
        request = pb.PutSampleRequest(
            project_id=pick.project_id,
            content=content,
            group_key=pick.input.group_key,
            stream=STREAMS[pick.stream],
            probability=pick.probability,
            origin=f"prediction:{pick.prediction_id}",
            request_id=derived_id(pick.flag_id, "put"),
        )
        async with translated("datasets"):
            response = await self._stub.PutSample(request)
        sample = response.sample
        return Stored(sample_id=sample.sample_id, teaches=sample.use == USE_TRAIN and not sample.label)

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()


class Objects:
    """Object storage, read only."""

    def __init__(self, url: str) -> None:
        self._store: ObjectStore = from_url(url)

    async def read(self, key: str) -> bytes:
        """The object of this key.

        Raises:
            NotFound: there is none (any more).
            DependencyUnavailable: storage is away.
        """
        try:
            found = await self._store.get_async(key)
            return bytes(await found.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"no object {key!r}") from error
        except (BaseError, OSError) as error:
            raise DependencyUnavailable(f"object storage cannot read {key!r}") from error

    async def provisional(self, key: str) -> Provisional:
        """The reference that a training run left.

        Raises:
            NotFound, DependencyUnavailable: as for `read`.
            InvalidInput: it is not what a run writes.
        """
        try:
            tensors = load(await self.read(key))
            return Provisional(
                confidence=tensors["confidence"].astype(np.float64),
                embeddings=tensors["embedding"].astype(np.float64),
                labels=tensors["predicted"].astype(np.int64),
            )
        except (KeyError, ValueError, SafetensorError) as error:
            raise InvalidInput(f"object {key!r} is no reference: {error}") from error
