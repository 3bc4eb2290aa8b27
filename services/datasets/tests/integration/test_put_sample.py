"""PutSample and GetSample: idempotent by bytes, the first reason decides the use, annotators are not swayed."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from datasets_world import (
    AUDIT,
    DISAGREEMENT,
    SELECTED,
    animated_png,
    header,
    id_of,
    labeled,
    part,
    png,
    project,
    refused,
)

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn.datasets.v1.dataset_version_pb2 import USE_TRAIN, USE_UNSPECIFIED, USE_VALIDATION
from relearn_runtime import new_id

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_put_sample_is_there_with_its_bytes_and_in_no_version(clothes):
    response = await clothes.put(png(1), SELECTED)

    assert response.added
    assert response.sample.sample_id == id_of(png(1))
    assert (response.sample.stream, response.sample.probability, response.sample.label) == (SELECTED, 0.25, "")
    assert (await clothes.sample(png(1), with_content=True)).content == png(1)
    assert await clothes.versions() == []


async def test_the_stream_of_the_first_flag_sets_the_use(clothes):
    uses = {SELECTED: USE_TRAIN, AUDIT: USE_VALIDATION, DISAGREEMENT: USE_VALIDATION, 0: USE_UNSPECIFIED}

    found = {stream: (await clothes.put(png(stream), stream)).sample.use for stream in uses}

    assert found == uses


async def test_a_new_member_takes_the_use_that_its_group_has(clothes):
    await clothes.put(png(1), AUDIT, group_key="burst")

    response = await clothes.put(png(2), SELECTED, group_key="burst")
    without_a_reason = await clothes.put(png(3), 0, group_key="burst")

    assert (response.added, response.sample.use, response.sample.stream) == (True, USE_VALIDATION, SELECTED)
    assert without_a_reason.sample.use == USE_VALIDATION
    assert response.sample == (await clothes.sample(png(2))).sample


async def test_a_sample_that_is_there_decides_nothing_for_the_group_it_is_put_into_again(clothes):
    await clothes.put(png(1), SELECTED, group_key="first")
    await clothes.put(png(1), SELECTED, group_key="second")

    response = await clothes.put(png(2), AUDIT, group_key="second")

    assert response.sample.use == USE_VALIDATION


async def test_what_a_put_sample_tells_is_whether_a_label_would_be_a_new_train_label(clothes):
    await clothes.import_(header(), *labeled(range(1, 2)))
    await clothes.put(png(2), AUDIT)

    known, audited, new = [(await clothes.put(png(number), SELECTED)).sample for number in (1, 2, 3)]

    assert (known.label, known.stream) == ("shirt", 0)
    assert (audited.label, audited.use, audited.stream) == ("", USE_VALIDATION, AUDIT)
    assert (new.label, new.use, new.stream) == ("", USE_TRAIN, SELECTED)


async def test_object_storage_that_is_away_is_told_and_leaves_no_sample(clothes):
    (clothes.objects / "blobs").write_text("where the folder of blobs should be")

    async with refused(grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"):
        await clothes.put(png(1))

    assert await clothes.sql("select 1 from samples") == []
    (clothes.objects / "blobs").unlink()
    assert (await clothes.put(png(1))).added


async def test_a_second_reason_changes_nothing(clothes):
    first = await clothes.put(png(1), SELECTED)

    second = await clothes.put(png(1), AUDIT, probability=0.5)

    assert not second.added
    assert second.sample == first.sample


async def test_a_repeated_call_gets_the_first_answer(clothes):
    request_id = new_id()
    first = await clothes.put(png(1), request_id=request_id)

    again = await clothes.put(png(1), request_id=request_id)

    assert again == first
    assert again.added
    async with refused(INVALID, "REQUEST_ID_REUSED"):
        await clothes.put(png(2), request_id=request_id)


async def test_puts_of_one_picture_at_the_same_time_agree(clothes):
    streams = [SELECTED, AUDIT, DISAGREEMENT] * 5

    responses = await asyncio.gather(*(clothes.put(png(1), stream) for stream in streams))

    assert sum(response.added for response in responses) == 1
    assert len({(r.sample.use, r.sample.stream) for r in responses}) == 1


async def test_members_of_one_group_put_at_the_same_time_share_a_use(clothes):
    streams = [SELECTED, AUDIT] * 10

    responses = await asyncio.gather(
        *(clothes.put(png(number), stream, group_key="burst") for number, stream in enumerate(streams))
    )

    assert len({response.sample.use for response in responses}) == 1
    assert {response.sample.stream for response in responses} == {SELECTED, AUDIT}


async def test_an_imported_sample_keeps_its_use_when_it_is_flagged(clothes):
    await clothes.import_(header(), *labeled(range(30)))
    before = [(await clothes.sample(png(number))).sample for number in range(30)]

    after = [(await clothes.put(png(number), AUDIT)).sample for number in range(30)]

    assert after == before
    assert {sample.use for sample in before} == {USE_TRAIN, USE_VALIDATION}


async def test_an_unlabeled_import_gets_its_use_from_the_first_flag(clothes):
    await clothes.import_(header(), part(png(1)))
    assert (await clothes.sample(png(1))).sample.use == USE_UNSPECIFIED

    response = await clothes.put(png(1), SELECTED)

    assert not response.added
    assert (response.sample.use, response.sample.stream) == (USE_TRAIN, SELECTED)


async def test_an_annotator_sees_neither_label_nor_why_it_is_asked(clothes):
    await clothes.put(png(1), AUDIT)
    await clothes.import_(header(), part(png(1), "bag"))

    seen = await clothes.sample(png(1), role="annotator", with_content=True)

    assert seen.content == png(1)
    sample = seen.sample
    assert (sample.label, sample.stream, sample.origin, sample.use, sample.group_key) == ("", 0, "", 0, "")
    assert not sample.HasField("probability")
    assert sample.sample_id == id_of(png(1))


async def test_a_picture_of_sixteen_mebibytes_goes_in_and_out(clothes):
    large = png(1) + b"\0" * (2**24 - len(png(1)))

    await clothes.put(large)

    assert (await clothes.sample(large, with_content=True)).content == large


async def test_a_bad_put_is_refused_and_leaves_no_sample(clothes):
    bad = [
        ("IMAGE_UNDECODABLE", {"content": png(1)[:40]}),
        ("IMAGE_ANIMATED", {"content": animated_png()}),
        ("IMAGE_FORMAT_UNSUPPORTED", {"content": b"no picture"}),
        ("IMAGE_TOO_LARGE", {"content": png(1) + b"\0" * 2**24}),
        ("INVALID_INPUT", {"probability": 0.0}),
        ("INVALID_INPUT", {"probability": 1.5}),
        ("INVALID_INPUT", {"probability": None}),
        ("INVALID_INPUT", {"stream": 0, "probability": 0.5}),
        ("INVALID_INPUT", {"stream": 99}),
        ("INVALID_INPUT", {"origin": ""}),
        ("INVALID_INPUT", {"group_key": "a\nb"}),
        ("INVALID_REQUEST_ID", {"request_id": "again"}),
    ]

    for reason, more in bad:
        async with refused(INVALID, reason):
            await clothes.put(**{"content": png(1), **more})

    assert await clothes.sql("select 1 from samples") == []


async def test_what_is_not_there_is_not_found(clothes):
    async with refused(grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await clothes.put(png(1), name="hats")
    async with refused(grpc.StatusCode.NOT_FOUND, "SAMPLE_NOT_FOUND"):
        await clothes.sample(png(1))


async def test_a_sample_of_one_project_is_unknown_in_another(clothes):
    await clothes.apply(project("shoes"))
    await clothes.put(png(1), SELECTED)

    async with refused(grpc.StatusCode.NOT_FOUND, "SAMPLE_NOT_FOUND"):
        await clothes.sample(png(1), name="shoes")
    assert (await clothes.put(png(1), AUDIT, name="shoes")).sample.use == USE_VALIDATION
    assert (await clothes.sample(png(1))).sample.use == USE_TRAIN


async def test_a_damaged_blob_is_told_and_not_served(clothes):
    await clothes.put(png(1))
    (path,) = clothes.objects.glob("blobs/*/*")
    path.write_bytes(b"rot")

    async with refused(grpc.StatusCode.UNAVAILABLE, "BLOB_DAMAGED"):
        await clothes.sample(png(1), with_content=True)


async def test_only_services_and_engineers_put(clothes):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await clothes.stub("annotator").PutSample(pb.PutSampleRequest(project_id="clothes"))

    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
