"""ImportSamples: one commit or nothing, the same twice changes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from hashlib import sha256

import grpc
import pytest
import sqlalchemy as sa
from datasets_world import accepted, animated_png, header, id_of, labeled, part, png, project, refused, tone, video

from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn_datasets import importing, jobs
from relearn_runtime import new_id, utc_now
from relearn_runtime.testing import eventually, publish

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_an_import_becomes_one_version_with_samples_labels_and_bytes(clothes):
    response = await clothes.import_(header(), part(png(1), "shirt"), part(png(2), "boot"), part(png(3)))

    assert (response.received, response.added, response.labeled, response.relabeled) == (3, 3, 2, 0)
    version = response.dataset_version
    assert version.dataset_version_id == "clothes/data/1"
    assert version.counts == version.new_counts
    assert (version.counts.imported, version.counts.train + version.counts.validation) == (2, 2)
    assert (await clothes.sample(png(2), with_content=True)).content == png(2)
    found = (await clothes.sample(png(2))).sample
    assert (found.label, found.media_type, found.origin, found.group_key) == (
        "boot",
        "image/png",
        "import:folder",
        id_of(png(2)),
    )
    unlabeled = (await clothes.sample(png(3))).sample
    assert (unlabeled.label, unlabeled.use) == ("", 0)


async def test_one_event_tells_of_the_version_and_its_import(clothes):
    request_id = new_id()

    response = await clothes.import_(header(request_id=request_id), *labeled(range(4)))

    (event,) = await clothes.collect(VersionCommitted, 1)
    assert event.message.dataset_version == response.dataset_version
    assert (event.message.import_id, event.message.project_revision) == (request_id, 1)


async def test_an_import_of_many_batches_and_pages_is_one_version(clothes):
    pictures = [part(png(number), "shirt") for number in range(6000)]

    response = await clothes.import_(header(samples=6000), *pictures)

    assert response.added == response.labeled == response.dataset_version.counts.imported == 6000
    assert 0.2 < response.dataset_version.counts.validation / 6000 < 0.3


async def test_the_same_import_again_changes_nothing(clothes):
    first = await clothes.import_(header(), *labeled(range(10)))

    again = await clothes.import_(header(), *labeled(range(10)))

    assert (again.received, again.added, again.labeled, again.relabeled) == (10, 0, 0, 0)
    assert not again.HasField("dataset_version")
    assert [version.digest for version in await clothes.versions()] == [first.dataset_version.digest]


async def test_a_repeated_call_gets_the_first_answer(clothes):
    one = header()
    first = await clothes.import_(one, *labeled(range(5)))

    again = await clothes.import_(one, *labeled(range(5)))

    assert again == first
    assert len(await clothes.versions()) == 1


async def test_a_request_id_with_other_samples_is_refused(clothes):
    one = header()
    await clothes.import_(one, *labeled(range(5)))

    async with refused(INVALID, "REQUEST_ID_REUSED"):
        await clothes.import_(one, *labeled(range(6)))


async def test_a_changed_label_is_a_relabel_commit(clothes):
    await clothes.import_(header(), *labeled(range(5), "shirt"))

    response = await clothes.import_(header(), part(png(0), "bag"), *labeled(range(1, 5), "shirt"))

    assert (response.labeled, response.relabeled, response.dataset_version.number) == (0, 1, 2)
    assert response.dataset_version.relabeled == 1
    (change,) = (await clothes.diff(1, 2)).changes
    assert (change.sample_id, change.old_label, change.new_label, change.label_id) == (
        id_of(png(0)),
        "shirt",
        "bag",
        "",
    )


async def test_the_same_folder_imported_again_keeps_what_people_corrected(clothes):
    await clothes.import_(header(), *labeled(range(3), "shirt"))
    for number in range(3):
        await publish(clothes.kafka, accepted(png(number), "boot"))
    await clothes.committed(2)

    response = await clothes.import_(header(), *labeled(range(3), "shirt"))

    assert not response.HasField("dataset_version")
    assert (await clothes.sample(png(0))).sample.label == "boot"


async def test_a_label_for_a_sample_that_came_without_one_is_added_later(clothes):
    await clothes.import_(header(), part(png(1)))
    assert await clothes.versions() == []

    response = await clothes.import_(header(), part(png(1), "bag"))

    assert (response.added, response.labeled, response.dataset_version.number) == (0, 1, 1)


async def test_equal_bytes_with_one_label_count_once(clothes):
    response = await clothes.import_(header(), part(png(1), "bag"), part(png(1)), part(png(1), "bag"))

    assert (response.received, response.added, response.labeled) == (3, 1, 1)


async def test_equal_bytes_with_two_labels_are_refused_and_nothing_is_kept(clothes):
    async with refused(INVALID, "LABEL_CONFLICT", place="2, 4", sample_id=id_of(png(1))):
        await clothes.import_(
            header(), part(png(0), "bag"), part(png(1), "bag"), part(png(2), "bag"), part(png(1), "boot")
        )

    assert await nothing_is_visible(clothes)


async def test_one_bad_sample_refuses_the_stream_and_its_place_is_named(clothes):
    bad = [
        ("IMAGE_UNDECODABLE", part(png(1)[:60], "bag")),
        ("IMAGE_UNDECODABLE", part(b"\x89PNG\r\n\x1a\n", "bag")),
        ("IMAGE_ANIMATED", part(animated_png(), "bag")),
        ("IMAGE_FORMAT_UNSUPPORTED", part(b"GIF89a", "bag")),
        ("IMAGE_FORMAT_UNSUPPORTED", part(b"", "bag")),
        ("IMAGE_TOO_LARGE", part(png(1) + b"\0" * 2**24, "bag")),
        ("NOT_IN_LABEL_SET", part(png(1), "hat")),
        ("INVALID_INPUT", part(png(1), "bag", "group\0key")),
        ("INVALID_INPUT", part(png(1), "bag", "k" * 501)),
    ]

    for reason, one in bad:
        async with refused(INVALID, reason, place="301"):
            await clothes.import_(header(), *labeled(range(300)), one, *labeled(range(300, 310)))

    assert await nothing_is_visible(clothes)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("TEXT", [b"a boot", "ein Stück".encode()], {"SAMPLE_REFUSED": b"caf\xe9", "OTHER_INPUT_KIND": png(1)}),
        ("AUDIO", [tone(800), tone(1600)], {"SAMPLE_REFUSED": tone(0), "OTHER_INPUT_KIND": b"a boot"}),
        ("VIDEO", [video(5), video(6)], {"SAMPLE_REFUSED": video(5)[:99], "OTHER_INPUT_KIND": tone(800)}),
    ],
)
async def test_samples_of_every_modality_are_imported_and_those_of_others_refused(datasets, kind, good, bad):
    await datasets.apply(project("media", input_kind=f"INPUT_KIND_{kind}"))
    types = {"TEXT": "text/plain; charset=utf-8", "AUDIO": "audio/wav", "VIDEO": "video/mp4"}

    for reason, content in {**bad, "SAMPLE_TOO_LARGE": good[0][:12] + b" " * (30 * 2**20)}.items():
        async with refused(INVALID, reason, place="3"):
            await datasets.import_(header("media"), *(part(one, "bag") for one in good), part(content, "bag"))
        async with refused(INVALID, reason):
            await datasets.put(content, name="media")
    assert await nothing_is_visible(datasets)
    response = await datasets.import_(header("media"), *(part(one, "bag") for one in good))

    assert (response.added, response.dataset_version.counts.imported) == (2, 2)
    sample = await datasets.sample(good[0], name="media", with_content=True)
    assert (sample.sample.media_type, sample.sample.label, sample.content) == (types[kind], "bag", good[0])


async def test_a_class_of_the_whole_sample_is_refused_where_labels_are_regions(datasets):
    await datasets.apply(project(region_kinds=["BOX"]))

    async with refused(INVALID, "UNSUPPORTED_LABEL", place="2"):
        await datasets.import_(header(), part(png(0)), part(png(1), "bag"))

    assert (await datasets.import_(header(), part(png(0)), part(png(1)))).added == 2


async def test_a_stream_of_the_wrong_shape_is_refused(clothes):
    wrong = [
        ("EMPTY_IMPORT", [header()]),
        ("FIRST_MESSAGE", []),
        ("FIRST_MESSAGE", [part(png(1), "bag")]),
        ("FIRST_MESSAGE", [header(), part(png(1), "bag"), header()]),
        ("INVALID_INPUT", [header(origin=" "), part(png(1), "bag")]),
        ("INVALID_REQUEST_ID", [header(request_id="once"), part(png(1), "bag")]),
        ("IMPORT_INCOMPLETE", [header(samples=2), part(png(1), "bag")]),
        ("IMPORT_INCOMPLETE", [header(samples=1), part(png(1), "bag"), part(png(2), "bag")]),
    ]

    for reason, messages in wrong:
        async with refused(INVALID, reason):
            await clothes.import_(*messages)

    assert await nothing_is_visible(clothes)


async def test_a_bad_request_id_is_refused_before_any_sample_is_read(clothes):
    async def endless():
        yield header(request_id="once")
        await asyncio.sleep(3600)

    async with refused(INVALID, "INVALID_REQUEST_ID"):
        await asyncio.wait_for(clothes.stub().ImportSamples(endless()), 60)


async def test_an_import_whose_staged_rows_are_lost_says_so_and_can_be_repeated(clothes):
    async def interrupted():
        yield header()
        for message in labeled(range(1000)):  # one batch
            yield message
        await eventually(lambda: staged(clothes))
        await clothes.sql("truncate staged_samples")  # as an unlogged table is when PostgreSQL has crashed
        for message in labeled(range(1000, 1010)):
            yield message

    authorization = [("authorization", f"Bearer {clothes.tokens.of('engineer')}")]
    # without retries: our own channel would repeat the call and hide the refusal
    async with (
        grpc.aio.insecure_channel(clothes.address, options=[("grpc.enable_retries", 0)]) as bare,
        refused(grpc.StatusCode.UNAVAILABLE, "IMPORT_INTERRUPTED"),
    ):
        await DatasetsServiceStub(bare).ImportSamples(interrupted(), metadata=authorization)

    assert await nothing_is_visible(clothes)
    assert (await clothes.import_(header(), *labeled(range(1010)))).added == 1010


async def test_staged_rows_are_swept_when_their_import_has_ended_long_ago(clothes):
    await clothes.sql("insert into staged_samples select 'dead', 1, '\\x00', 1, 'image/png', 'g', null, now()")
    store = clothes.store()

    await jobs.sweep_abandoned_imports(store, now=lambda: utc_now() + timedelta(minutes=110))
    assert await staged(clothes)
    await jobs.sweep_abandoned_imports(store, now=lambda: utc_now() + timedelta(minutes=130))

    assert not await staged(clothes)
    await store.database.close()


async def test_an_import_that_is_given_up_for_a_put_is_committed_all_the_same(clothes, monkeypatch):
    monkeypatch.setattr(importing, "_PAGE", 1)
    first, second = sorted((png(1), png(2)), key=lambda content: sha256(content).digest())
    await clothes.import_(header(), part(second, "bag"), part(png(3), "", "shared"))
    digest = sha256(second).digest()

    async with clothes.engine.begin() as put:  # takes its locks in the order of a put: sample, then group
        await put.execute(sa.text("select 1 from samples where sha256 = :s for update").bindparams(s=digest))
        importing_ = asyncio.create_task(clothes.import_(header(), part(first, "bag", "shared"), part(second, "boot")))
        await eventually(lambda: somebody_waits_for_a_lock(clothes))
        await put.execute(sa.text("update groups set use = use where group_key = 'shared'"))

    response = await importing_
    assert (response.added, response.relabeled, response.dataset_version.number) == (1, 1, 2)


async def test_an_import_mends_a_blob_that_was_cut_short(clothes):
    await clothes.import_(header(), part(png(1), "bag"))
    (path,) = clothes.objects.glob("blobs/*/*")
    path.write_bytes(png(1)[:20])  # as after a power cut

    await clothes.import_(header(), part(png(1), "bag"))

    assert path.read_bytes() == png(1)


async def test_an_unknown_project_is_not_found(clothes):
    async with refused(grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await clothes.import_(header("hats"), part(png(1), "bag"))


async def test_a_client_that_dies_in_mid_stream_leaves_nothing_visible(clothes):
    async def half():
        yield header()
        for message in labeled(range(1100)):  # more than one batch
            yield message
        await asyncio.sleep(3600)

    call = clothes.stub().ImportSamples(half())
    await eventually(lambda: staged(clothes))
    call.cancel()

    await eventually(lambda: nothing_is_staged(clothes))
    assert await nothing_is_visible(clothes)
    response = await clothes.import_(header(), *labeled(range(1100)))
    assert response.added == 1100


async def test_a_stream_cut_at_any_moment_is_never_taken_for_a_whole_one(clothes):
    for messages in range(1, 40):
        await one_cut_stream(clothes, messages)

    await eventually(lambda: nothing_is_staged(clothes))
    assert await nothing_is_visible(clothes)


async def test_imports_at_the_same_time_count_each_sample_once(clothes):
    responses = await asyncio.gather(
        *(clothes.import_(header(), *labeled(range(start, start + 300))) for start in (0, 100, 200, 0))
    )

    assert sum(response.added for response in responses) == 500
    versions = await clothes.versions()
    assert sorted(version.number for version in versions) == list(range(1, len(versions) + 1))
    assert versions[0].counts.imported == 500
    events = await clothes.collect(VersionCommitted, len(versions))
    assert Counter(event.message.dataset_version.number for event in events) == Counter(v.number for v in versions)


async def test_a_group_shares_its_use(clothes):
    parts = [part(png(number), "bag", f"recording-{number % 7}") for number in range(70)]

    await clothes.import_(header(), *parts)

    uses = {group: set() for group in range(7)}
    for number in range(70):
        uses[number % 7].add((await clothes.sample(png(number))).sample.use)
    assert all(len(found) == 1 for found in uses.values())


async def test_shares_are_those_of_the_policy(datasets):
    await datasets.apply(project(validation_share=0.5, test_share=0.25))

    version = (await datasets.import_(header(), *labeled(range(1000)))).dataset_version

    assert 0.45 < version.counts.validation / 1000 < 0.55
    assert 0.2 < version.counts.test / 1000 < 0.3


async def test_two_projects_share_a_blob_and_never_a_sample(clothes):
    await clothes.apply(project("shoes"))

    await clothes.import_(header("clothes"), part(png(1), "bag"))
    await clothes.import_(header("shoes"), part(png(1), "boot"))

    assert len(clothes.blobs()) == 1
    assert (await clothes.sample(png(1))).sample.label == "bag"
    assert (await clothes.sample(png(1), name="shoes")).sample.label == "boot"
    digests = {(await clothes.version(1, name)).digest for name in ("clothes", "shoes")}
    assert len(digests) == 2


async def test_the_same_import_makes_the_same_digest_elsewhere(datasets):
    await datasets.apply(project())
    await datasets.import_(header(), *labeled(range(20)))
    first = (await datasets.version(1)).digest
    for table in ("changes", "commits", "heads", "samples", "groups"):
        await datasets.sql(f"delete from {table}")

    response = await datasets.import_(header(), *reversed(list(labeled(range(20)))))

    assert response.dataset_version.digest == first


async def one_cut_stream(world, messages: int) -> None:
    """Sends some samples of a longer stream, then breaks the connection."""
    sent = asyncio.Event()

    async def cut():
        yield header()
        for message in labeled(range(messages)):
            yield message
        sent.set()
        await asyncio.sleep(3600)

    call = world.stub().ImportSamples(cut())
    await asyncio.wait_for(sent.wait(), 60)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def somebody_waits_for_a_lock(world) -> bool:
    return await world.sql("select 1 from pg_locks where not granted") != []


async def staged(world) -> bool:
    return (await world.sql("select count(*) from staged_samples"))[0][0] > 0


async def nothing_is_staged(world) -> bool:
    return not await staged(world)


async def nothing_is_visible(world) -> bool:
    counts = [
        (await world.sql(f"select count(*) from {table}"))[0][0]
        for table in ("samples", "changes", "commits", "groups")
    ]
    return counts == [0, 0, 0, 0] and await world.sql("select 1 from outbox") == []
