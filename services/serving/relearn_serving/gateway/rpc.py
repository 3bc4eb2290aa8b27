"""The Open Inference Protocol on grpc.aio: all of it, or all but ModelInfer when the native front has that."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn

import grpc
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer

from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.counters import Counters, VersionCount
from relearn_serving.gateway.fronts import AioFront
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.refusals import ModelNameMissing, NoChampion, UnknownVersion
from relearn_serving.gateway.requests import INPUT, Limits
from relearn_serving.gateway.routing import Route, pinned, version_number
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.wire import details, status_code, status_message

_EXTENSIONS = ("model_repository(index)", "model_configuration", "statistics")

Context = grpc.aio.ServicerContext[Any, Any]


class InferenceRpc(GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Model name = project, version = number of the model version."""

    def __init__(
        self, current: Current, *, front: AioFront, counters: Counters, limits: Limits, server_version: str
    ) -> None:
        self._current = current
        self._front = front
        self._counters = counters
        self._limits = limits
        self._server_version = server_version

    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        return oip.ServerLiveResponse(live=True)

    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        """Ready once it knows what there is to serve; a project's own readiness is ModelReady."""
        table = self._current.serving.table
        return oip.ServerReadyResponse(ready=table.complete or bool(table.routes))

    async def ServerMetadata(self, request: oip.ServerMetadataRequest, context: Context) -> oip.ServerMetadataResponse:
        return oip.ServerMetadataResponse(name="relearn", version=self._server_version, extensions=_EXTENSIONS)

    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        try:
            self._model(request.name, request.version)
        except RelearnError:
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=True)

    async def ModelMetadata(self, request: oip.ModelMetadataRequest, context: Context) -> oip.ModelMetadataResponse:
        route, model = await self._found(request.name, request.version, context)
        response = oip.ModelMetadataResponse(
            name=route.project_id, versions=[version_number(v) for v in route.versions], platform="onnxruntime_onnx"
        )
        response.inputs.add(name=INPUT, datatype="BYTES", shape=(-1, 1))
        response.outputs.add(name="probabilities", datatype="FP32", shape=(-1, len(model.classes)))
        response.outputs.add(name="label", datatype="BYTES", shape=(-1,))
        response.outputs.add(name="confidence", datatype="FP32", shape=(-1,))
        return response

    async def ModelConfig(self, request: oip.ModelConfigRequest, context: Context) -> oip.ModelConfigResponse:
        """Class names are in the parameter `classes` (a JSON list), in the order of `probabilities`."""
        route, model = await self._found(request.name, request.version, context)
        config = model_config_pb2.ModelConfig(
            name=route.project_id,
            platform="onnxruntime_onnx",
            backend="onnxruntime",
            max_batch_size=self._limits.max_batch,
        )
        config.input.add(name=INPUT, data_type=model_config_pb2.TYPE_STRING, dims=(1,))
        config.output.add(name="probabilities", data_type=model_config_pb2.TYPE_FP32, dims=(len(model.classes),))
        config.output.add(name="label", data_type=model_config_pb2.TYPE_STRING, dims=(1,))
        config.output.add(name="confidence", data_type=model_config_pb2.TYPE_FP32, dims=(1,))
        channels, height, width = model.input_shape
        config.parameters["classes"].string_value = json.dumps(list(model.classes), ensure_ascii=False)
        config.parameters["tensor_shape"].string_value = json.dumps([-1, channels, height, width])
        return oip.ModelConfigResponse(config=config)

    async def ModelStatistics(
        self, request: oip.ModelStatisticsRequest, context: Context
    ) -> oip.ModelStatisticsResponse:
        if request.name:
            await self._found(request.name, request.version, context)
        counts: dict[str, list[VersionCount]] = {}
        for count in self._counters.versions():
            number = version_number(count.model_version_id)
            if request.name in ("", count.project_id) and request.version in ("", number):
                counts.setdefault(count.model_version_id, []).append(count)
        return oip.ModelStatisticsResponse(model_stats=[_statistics(found) for found in counts.values()])

    async def RepositoryIndex(
        self, request: oip.RepositoryIndexRequest, context: Context
    ) -> oip.RepositoryIndexResponse:
        response = oip.RepositoryIndexResponse()
        for route in self._current.serving.table.routes.values():
            for version in route.versions:
                response.models.add(name=route.project_id, version=version_number(version), state="READY")
        return response

    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        try:
            return await self._front.infer(request, context)
        except RelearnError as error:
            await _abort(context, error)

    async def ModelStreamInfer(
        self, requests: AsyncIterator[oip.ModelInferRequest], context: Context
    ) -> AsyncIterator[oip.ModelStreamInferResponse]:
        """Answers in order; a refused request does not end the stream."""
        async for request in requests:
            try:
                yield oip.ModelStreamInferResponse(infer_response=await self._front.infer(request, context))
            except RelearnError as error:
                yield oip.ModelStreamInferResponse(error_message=status_message(error))

    def _model(self, name: str, version: str) -> tuple[Route, Model]:
        if not name:
            raise ModelNameMissing("the model's name is empty; it must be the name of a project")
        serving = self._current.serving
        route = serving.table.of(name)
        wanted = pinned(name, version) if version else route.champion
        if not wanted:
            raise NoChampion(f"no model version serves {name!r} yet")
        model = serving.models.get(wanted)
        if model is None:
            raise UnknownVersion(f"version {version} of {name!r} is not in its route")
        return route, model

    async def _found(self, name: str, version: str, context: Context) -> tuple[Route, Model]:
        try:
            return self._model(name, version)
        except RelearnError as error:
            await _abort(context, error)


async def _abort(context: Context, error: RelearnError) -> NoReturn:
    await context.abort(status_code(error), status_message(error), tuple(details(error)))
    raise AssertionError("abort raises")


def _statistics(counts: Sequence[VersionCount]) -> oip.ModelStatistics:
    """All arms of one version together."""
    statistics = oip.ModelStatistics(
        name=counts[0].project_id,
        version=version_number(counts[0].model_version_id),
        inference_count=sum(count.predictions for count in counts),
        execution_count=sum(count.requests for count in counts),
    )
    statistics.inference_stats.success.count = sum(count.requests for count in counts)
    statistics.inference_stats.success.ns = int(1e9 * sum(count.gateway_s for count in counts))
    statistics.inference_stats.fail.count = sum(count.errors for count in counts)
    statistics.inference_stats.compute_infer.count = sum(count.requests for count in counts)
    statistics.inference_stats.compute_infer.ns = int(1e9 * sum(count.model_s for count in counts))
    return statistics
