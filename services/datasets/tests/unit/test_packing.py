"""The pack of a version, on a store that lives in memory and one that is a folder."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Mapping, Sequence

import polars as pl
import pytest

from relearn_datasets.clients import ObjectStorage, blob_key
from relearn_datasets.domain.errors import BlobDamaged
from relearn_datasets.domain.packs import PackedSample
from relearn_datasets.domain.samples import IMPORTED, Draw, Stream, Use
from relearn_datasets.domain.values import LabelValue, one_class
from relearn_datasets.packing import SCHEMA, index, write_pack


class ObjectsInMemory:
    """Object storage as a dictionary; held to the real one by the tests below."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put_blobs(self, blobs: Mapping[bytes, bytes]) -> None:
        for sha256, content in blobs.items():
            self.objects.setdefault(blob_key(sha256), content)

    async def blobs(self, sha256s: Sequence[bytes]) -> Sequence[bytes]:
        found = [self.objects.get(blob_key(sha256), b"") for sha256 in sha256s]
        for sha256, content in zip(sha256s, found, strict=True):
            if hashlib.sha256(content).digest() != sha256:
                raise BlobDamaged(sha256.hex())
        return found

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        self.objects[key] = b"".join([chunk async for chunk in chunks])

    async def put_if_absent(self, key: str, content: bytes) -> bytes:
        return self.objects.setdefault(key, content)


@pytest.fixture(params=["memory", "folder"])
def objects(request, tmp_path):
    if request.param == "memory":
        yield ObjectsInMemory()
        return
    storage = ObjectStorage(f"file://{tmp_path}/objects")
    yield storage
    storage.close()


def packed(contents: Sequence[bytes]) -> list[PackedSample]:
    by_name = {hashlib.sha256(content).digest(): content for content in contents}
    return [
        PackedSample(
            sample_id=f"clothes/sample/{sha256.hex()}",
            sha256=sha256,
            size_bytes=len(by_name[sha256]),
            label=one_class("boot") if n % 3 else LabelValue(class_name=None, regions=b"" if n % 2 else b"boxes"),
            use=Use.TRAIN,
            draw=IMPORTED if n % 2 else Draw(stream=Stream.AUDIT, probability=0.5),
            group_key="group",
            version_number=3,
        )
        for n, sha256 in enumerate(sorted(by_name))
    ]


def pages(samples: list[PackedSample], size: int):
    async def page(after: bytes) -> list[PackedSample]:
        return [sample for sample in samples if sample.sha256 > after][:size]

    return page


CONTENTS = [bytes([n % 256]) * n for n in range(1, 1500)]


async def test_a_pack_is_the_samples_end_to_end_and_an_index_of_them(tmp_path):
    objects, samples = ObjectsInMemory(), packed(CONTENTS)
    await objects.put_blobs({hashlib.sha256(content).digest(): content for content in CONTENTS})

    index_sha256 = await write_pack(objects, "packs/d/", pages(samples, 400))

    table = pl.read_parquet(io.BytesIO(objects.objects["packs/d/index.parquet"]))
    pack = objects.objects["packs/d/pack.bin"]
    assert hashlib.sha256(objects.objects["packs/d/index.parquet"]).hexdigest() == index_sha256
    assert dict(table.schema) == dict(SCHEMA)
    assert table.height == len(samples)
    for row in table.iter_rows(named=True):
        content = pack[row["offset"] : row["offset"] + row["size"]]
        assert row["sample_id"].endswith(hashlib.sha256(content).hexdigest())
    assert table["label"].to_list() == [sample.label.class_name for sample in samples]
    assert table["regions"].to_list() == [sample.label.regions for sample in samples]


async def test_a_pack_made_again_is_the_same_and_an_index_that_is_there_stays(objects):
    samples = packed(CONTENTS)
    await objects.put_blobs({hashlib.sha256(content).digest(): content for content in CONTENTS})

    first = await write_pack(objects, "packs/d/", pages(samples, 400))
    again = await write_pack(objects, "packs/d/", pages(samples, 700))

    assert again == first


async def test_a_pack_of_a_missing_blob_is_not_made(objects):
    samples = packed(CONTENTS)
    await objects.put_blobs({hashlib.sha256(content).digest(): content for content in CONTENTS[:-1]})

    with pytest.raises(BlobDamaged):
        await write_pack(objects, "packs/d/", pages(samples, 400))

    assert await objects.put_if_absent("packs/d/index.parquet", b"free") == b"free"


async def test_an_object_stays_what_it_was_first(objects):
    assert await objects.put_if_absent("packs/x", b"first") == b"first"
    assert await objects.put_if_absent("packs/x", b"second") == b"first"


async def test_blobs_come_back_in_the_order_asked_for(objects):
    contents = [b"%d" % n for n in range(100)]
    names = [hashlib.sha256(content).digest() for content in contents]
    await objects.put_blobs(dict(zip(names, contents, strict=True)))
    await objects.put_blobs(dict(zip(names, contents, strict=True)))

    assert await objects.blobs(names) == contents
    assert await objects.blobs([]) == []


def test_an_index_of_nothing_has_its_columns():
    assert dict(pl.read_parquet(io.BytesIO(index([]))).schema) == dict(SCHEMA)
