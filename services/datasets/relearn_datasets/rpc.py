"""What datasets is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc.aio

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceServicer
from relearn_datasets import wire
from relearn_datasets.clients import Objects
from relearn_datasets.content import Inspector
from relearn_datasets.diffing import diff_page
from relearn_datasets.domain.diffs import between
from relearn_datasets.domain.samples import parse_sample_id, parse_version_id
from relearn_datasets.importing import Importer
from relearn_datasets.putting import parse, put_sample
from relearn_datasets.store import Transaction
from relearn_media import Modality
from relearn_runtime import NewId, Now, Store, caller, paging

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class DatasetsRpc(DatasetsServiceServicer):
    """The service of datasets."""

    def __init__(
        self, *, store: Store[Transaction], objects: Objects, inspector: Inspector, new_id: NewId, now: Now
    ) -> None:
        self._store, self._objects, self._inspector, self._now = store, objects, inspector, now
        self._importer = Importer(store=store, objects=objects, inspector=inspector, new_id=new_id, now=now)
        self._modalities: dict[str, Modality] = {}

    async def ImportSamples(
        self, request_iterator: AsyncIterator[pb.ImportSamplesRequest], context: Context
    ) -> pb.ImportSamplesResponse:
        return await self._importer.run(request_iterator)

    async def PutSample(self, request: pb.PutSampleRequest, context: Context) -> pb.PutSampleResponse:
        modality = await self._modality(request.project_id)
        put = await parse(request, self._inspector, modality=modality)
        await self._objects.put_blobs({put.content.sha256: request.content})  # before the row that names it
        async with self._store.transaction() as tx:
            project = wire.policy(await tx.projects.require(request.project_id))
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.PutSampleResponse.FromString(saved)
            sample, added = await put_sample(tx, project, put, now=self._now())
            response = pb.PutSampleResponse(sample=wire.sample(sample), added=added)
            await tx.requests.finish(request, response)
        return response

    async def GetSample(self, request: pb.GetSampleRequest, context: Context) -> pb.GetSampleResponse:
        project_id, sha256 = parse_sample_id(request.sample_id)
        async with self._store.transaction() as tx:
            sample = await tx.samples.get(project_id, sha256)
        told = wire.sample_for_annotator(sample) if caller(context).role == "annotator" else wire.sample(sample)
        content = (await self._objects.blobs([sha256]))[0] if request.with_content else b""
        return pb.GetSampleResponse(sample=told, content=content)

    async def GetVersion(self, request: pb.GetVersionRequest, context: Context) -> pb.GetVersionResponse:
        async with self._store.transaction() as tx:
            version = await tx.commits.get(*parse_version_id(request.dataset_version_id))
        return pb.GetVersionResponse(dataset_version=wire.dataset_version(version))

    async def ListVersions(self, request: pb.ListVersionsRequest, context: Context) -> pb.ListVersionsResponse:
        size, listed = paging.page_size(request.page_size), f"versions of {request.project_id}"
        before = paging.place(request.page_token, listed, int)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            found = await tx.commits.list(request.project_id, before=before, limit=size + 1)
        page = found[:size]
        return pb.ListVersionsResponse(
            dataset_versions=[wire.dataset_version(version) for version in page],
            next_page_token=paging.token(listed, page[-1].number) if len(found) > size else "",
        )

    async def Diff(self, request: pb.DiffRequest, context: Context) -> pb.DiffResponse:
        of = between(request.from_dataset_version_id, request.to_dataset_version_id)
        size = paging.page_size(request.page_size)
        async with self._store.transaction() as tx:
            for number in {of.after, of.upto} - {0}:
                await tx.commits.get(of.project_id, number)
            return await diff_page(tx, of, size=size, page_token=request.page_token)

    async def GetPack(self, request: pb.GetPackRequest, context: Context) -> pb.GetPackResponse:
        async with self._store.transaction() as tx:
            version = await tx.commits.get(*parse_version_id(request.dataset_version_id))
            pack = await tx.packs.want(version)
        return pb.GetPackResponse(
            ready=pack.index_sha256 is not None,
            prefix=pack.prefix,
            index_sha256=pack.index_sha256 or "",
            samples=pack.samples,
        )

    async def _modality(self, project_id: str) -> Modality:
        """Of a project's samples; remembered, since it never changes and a put shall cost no transaction more."""
        if project_id not in self._modalities:
            async with self._store.transaction() as tx:
                self._modalities[project_id] = wire.policy(await tx.projects.require(project_id)).modality
        return self._modalities[project_id]
