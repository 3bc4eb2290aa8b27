"""GetVersion, ListVersions, Diff and GetPack."""

from __future__ import annotations

import hashlib
import io
import random

import grpc
import polars as pl
import pytest
from datasets_world import AUDIT, SELECTED, accepted, flag, header, id_of, labeled, part, png, project, refused

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn_runtime.paging import token
from relearn_runtime.testing import eventually, publish

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


async def test_versions_are_listed_newest_first_in_pages(clothes):
    for number in range(5):
        await clothes.import_(header(), part(png(number), "bag"))

    first = await clothes.stub().ListVersions(pb.ListVersionsRequest(project_id="clothes", page_size=3))
    more = pb.ListVersionsRequest(project_id="clothes", page_size=3, page_token=first.next_page_token)
    second = await clothes.stub().ListVersions(more)

    assert [version.number for version in first.dataset_versions] == [5, 4, 3]
    assert [version.number for version in second.dataset_versions] == [2, 1]
    assert second.next_page_token == ""


async def test_a_diff_agrees_with_the_states_it_lies_between(clothes):
    draw = random.Random(7)
    states: list[dict[str, str]] = [{}]
    for _ in range(6):
        chosen = {number: draw.choice(("shirt", "boot", "bag")) for number in draw.sample(range(30), 12)}
        now = states[-1] | {id_of(png(number)): label for number, label in chosen.items()}
        response = await clothes.import_(header(), *(part(png(n), label) for n, label in chosen.items()))
        if response.HasField("dataset_version"):
            states.append(now)

    for low in range(len(states)):
        for high in range(low + 1, len(states)):
            assert await told(clothes, low, high) == expected(states[low], states[high])
            if low:
                assert await told(clothes, high, low) == expected(states[high], states[low])


async def test_a_diff_is_paged_and_every_page_has_the_totals(clothes):
    await clothes.import_(header(), *labeled(range(12), "bag"))
    await clothes.import_(header(), *labeled(range(3), "boot"))

    pages = [await clothes.diff(None, 2, page_size=5)]
    while pages[-1].next_page_token:
        pages.append(await clothes.diff(None, 2, page_size=5, page_token=pages[-1].next_page_token))

    assert [len(page.changes) for page in pages] == [5, 5, 2]
    assert {(page.added, page.removed, page.relabeled) for page in pages} == {(12, 0, 0)}
    ids = [change.sample_id for page in pages for change in page.changes]
    assert ids == sorted(ids)
    assert all(change.use for page in pages for change in page.changes)


async def test_diffs_that_make_no_sense_are_refused(clothes):
    await clothes.apply(project("shoes"))
    await clothes.import_(header(), part(png(1), "bag"))
    await clothes.import_(header("shoes"), part(png(1), "bag"))
    stub = clothes.stub()

    async with refused(INVALID, "DIFFERENT_PROJECTS"):
        await stub.Diff(pb.DiffRequest(from_dataset_version_id="clothes/data/1", to_dataset_version_id="shoes/data/1"))
    for missing in ("clothes/data/2", "clothes/data/0", "clothes", ""):
        async with refused(NOT_FOUND, "DATASET_VERSION_NOT_FOUND"):
            await stub.Diff(pb.DiffRequest(to_dataset_version_id=missing))
    async with refused(NOT_FOUND, "DATASET_VERSION_NOT_FOUND"):
        await clothes.diff(9, 1)
    beyond = token("diff clothes 0 1 0", "ab", 2**63, 0, 0)
    for wrong in ({"page_size": -1}, {"page_token": "x"}, {"page_token": "ZGlmZgo5"}, {"page_token": beyond}):
        async with refused(INVALID, "INVALID_INPUT"):
            await clothes.diff(None, 1, **wrong)


async def test_what_is_not_there_is_not_found(clothes):
    async with refused(NOT_FOUND, "DATASET_VERSION_NOT_FOUND", dataset_version_id="clothes/data/1"):
        await clothes.version(1)
    async with refused(NOT_FOUND, "DATASET_VERSION_NOT_FOUND"):
        await clothes.stub().GetPack(pb.GetPackRequest(dataset_version_id="clothes/data/1"))
    async with refused(NOT_FOUND, "PROJECT_NOT_FOUND"):
        await clothes.versions("hats")
    for wrong in ({"page_size": -1}, {"page_token": "x"}, {"page_token": token("versions of clothes", 2**63)}):
        async with refused(INVALID, "INVALID_INPUT"):
            await clothes.stub().ListVersions(pb.ListVersionsRequest(project_id="clothes", **wrong))


async def test_a_pack_holds_the_version_as_it_was(clothes):
    await clothes.import_(header(), *labeled(range(20), "bag"))
    await clothes.put(png(100), SELECTED)
    await clothes.put(png(101), AUDIT, probability=0.125)
    for number, stream in ((100, SELECTED), (101, AUDIT), (0, SELECTED)):
        content = png(number)
        await publish(clothes.kafka, accepted(content, "boot", flags=[flag(stream, content=content)]))
    await clothes.committed(2)
    await clothes.import_(header(), *labeled(range(5, 10), "shirt"))

    old, middle, new = [await pack_of(clothes, number) for number in (1, 2, 3)]

    assert (old.height, middle.height, new.height) == (20, 22, 22)
    assert set(old["label"]) == {"bag"}
    rows = {row["sample_id"]: row for row in new.iter_rows(named=True)}
    assert [row["sample_id"] for row in new.iter_rows(named=True)] == sorted(rows)
    relabeled, fresh, audited = (rows[id_of(png(number))] for number in (0, 100, 101))
    assert (relabeled["label"], relabeled["version_n"], relabeled["stream"]) == ("boot", 2, "imported")
    assert relabeled["probability"] is None
    assert (fresh["use"], fresh["stream"], fresh["probability"], fresh["version_n"]) == ("train", "selected", 0.25, 2)
    assert (audited["use"], audited["stream"], audited["probability"]) == ("validation", "audit", 0.125)
    assert rows[id_of(png(7))]["version_n"] == 3
    assert rows[id_of(png(12))]["version_n"] == 1


async def test_two_makers_of_one_pack_agree(clothes):
    await clothes.import_(header(), *labeled(range(20), "bag"))
    first = await ready_pack(clothes, 1)
    before = {path.name: path.read_bytes() for path in (clothes.objects / first.prefix).iterdir()}

    await clothes.sql("update packs set index_sha256 = null")
    second = await ready_pack(clothes, 1)

    assert second == first
    assert {path.name: path.read_bytes() for path in (clothes.objects / first.prefix).iterdir()} == before


async def test_a_pack_that_was_left_half_made_is_made_when_its_lease_has_run_out(clothes):
    await clothes.import_(header(), *labeled(range(20), "bag"))
    version = await clothes.version(1)
    (clothes.objects / "packs" / version.digest).mkdir(parents=True)
    (clothes.objects / "packs" / version.digest / "pack.bin").write_bytes(b"half")
    await clothes.sql(
        "insert into packs (project_id, number, digest, samples, lease_id, leased_until, attempts)"
        " select project_id, number, digest, 20, 'dead', now() + interval '1 second', 1 from commits"
    )

    assert (await pack_of(clothes, 1)).height == 20


async def test_a_pack_that_cannot_be_made_says_why(clothes):
    await clothes.import_(header(), part(png(1), "bag"))
    (blob,) = clothes.objects.glob("blobs/*/*")
    blob.unlink()

    response = await clothes.stub().GetPack(pb.GetPackRequest(dataset_version_id="clothes/data/1"))

    async def told_why():
        return [line for line in await clothes.waiting() if "is not in object storage" in line]

    assert not response.ready
    assert await eventually(told_why)
    blob.write_bytes(png(1))
    assert (await pack_of(clothes, 1)).height == 1


async def test_annotators_see_no_versions(clothes):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await clothes.stub("annotator").GetVersion(pb.GetVersionRequest(dataset_version_id="clothes/data/1"))

    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED


def expected(old: dict[str, str], new: dict[str, str]) -> dict[str, tuple[str, str]]:
    keys = sorted(old.keys() | new.keys())
    return {key: (old.get(key, ""), new.get(key, "")) for key in keys if old.get(key) != new.get(key)}


async def told(world, from_: int, to: int) -> dict[str, tuple[str, str]]:
    response = await world.diff(from_, to)
    assert response.added + response.removed + response.relabeled == len(response.changes)
    return {change.sample_id: (change.old_label, change.new_label) for change in response.changes}


async def ready_pack(world, number: int) -> pb.GetPackResponse:
    async def ready():
        response = await world.stub("service").GetPack(pb.GetPackRequest(dataset_version_id=f"clothes/data/{number}"))
        return response if response.ready else None

    return await eventually(ready)


async def pack_of(world, number: int) -> pl.DataFrame:
    """The index of a version's pack, every sample of which is checked against the bytes."""
    response = await ready_pack(world, number)
    folder = world.objects / response.prefix
    content = (folder / "index.parquet").read_bytes()
    assert hashlib.sha256(content).hexdigest() == response.index_sha256
    found = pl.read_parquet(io.BytesIO(content))
    packed = (folder / "pack.bin").read_bytes()
    assert found.height == response.samples
    assert found["size"].sum() == len(packed)
    for row in found.iter_rows(named=True):
        sample = packed[row["offset"] : row["offset"] + row["size"]]
        assert row["sample_id"] == id_of(sample)
    return found
