"""Champion and shadow on the same inputs."""

from __future__ import annotations

import random

import pytest
from monitoring_world import Traffic, project

from relearn.monitoring.v1 import events_pb2 as pb
from relearn.monitoring.v1 import flag_pb2
from relearn.registry.v1 import events_pb2 as registry_pb
from relearn.registry.v1 import model_version_pb2
from relearn_monitoring.domain.picks import derived_id
from relearn_monitoring.domain.sampling import draw
from relearn_runtime.testing import collect_all, eventually, publish

DISAGREEMENT = flag_pb2.STREAM_DISAGREEMENT
COUNTS = "select pairs, disagreements, picked, asked, wanted from comparisons"


@pytest.fixture
async def shadowed(monitoring):
    """Version 2 in the shadow of version 1; the gate asks for 10 disagreements after 100 pairs."""
    await monitoring.apply(
        project(
            shadow_pairs=100, disagreements_per_look=10, predictions_per_day=100_000_000, reference_predictions=5000
        )
    )
    await monitoring.route(1, 2, revision=1)
    return monitoring


def paired(traffic: Traffic, n: int, *, every: int) -> tuple[list, list]:
    """Champion's predictions and their shadows'; each `every`th differs."""
    champions = traffic.predictions(n)
    return champions, [traffic.shadow_of(one, differs=index % every == 0) for index, one in enumerate(champions)]


async def reported(world, **expected):
    """The first report that says all this."""

    async def said():
        for report in await collect_all(world.kafka, pb.ShadowCompared):
            if all(getattr(report.message, name) == value for name, value in expected.items()):
                return report
        return None

    return await eventually(said)


async def test_pairs_are_counted_once_whichever_side_comes_first(shadowed):
    traffic = Traffic(shadowed.clock)
    champions, shadows = paired(traffic, 60, every=6)
    mixed = champions[:30] + shadows + champions[30:]
    random.Random(1).shuffle(mixed)

    await shadowed.serve(mixed)
    await shadowed.serve(mixed[:50] + traffic.predictions(1))

    assert await shadowed.sql(COUNTS) == [(60, 10, 0, 0, 10)]


async def test_random_disagreements_become_numbered_flags_with_both_answers(shadowed):
    champions, shadows = paired(Traffic(shadowed.clock), 120, every=5)

    await shadowed.serve([one for pair in zip(champions, shadows, strict=True) for one in pair])

    flags = await shadowed.flags(10, stream=DISAGREEMENT)
    assert sorted(flag.disagreement.number for flag in flags) == list(range(1, 11))
    by_champion = {one.prediction_id: (one, shadow) for one, shadow in zip(champions, shadows, strict=True)}
    for flag in flags:
        champion, shadow = by_champion[flag.prediction_id]
        assert flag.disagreement.champion_label == champion.predicted_label != shadow.predicted_label
        assert flag.disagreement.challenger_label == shadow.predicted_label
        assert flag.disagreement.challenger_prediction_id == shadow.prediction_id
        assert flag.disagreement.challenger_model_version_id == "clothes/model/2"
    report = await reported(shadowed, stop_reason="ENOUGH", asked=10)
    assert (report.message.wanted, report.message.pairs >= 100) == (10, True)
    assert set(report.causes) <= {derived_id(flag.flag_id, "flagged") for flag in flags} != set()


async def test_probability_of_a_disagreement_is_right_however_many_there_are(shadowed):
    # four times as many as are kept for later looks
    champions, shadows = paired(Traffic(shadowed.clock), 400, every=1)

    await shadowed.serve([one for pair in zip(champions, shadows, strict=True) for one in pair])

    flags = await shadowed.flags(10, stream=DISAGREEMENT)
    (probability,) = {flag.probability for flag in flags}
    pair = "disagreement\0clothes/model/1\0clothes/model/2"
    priorities = sorted(draw(pair, flag.sample_id.split("/")[-1]) for flag in flags)
    assert priorities[-1] < probability < 0.15


async def test_nothing_is_asked_while_there_are_too_few_pairs(shadowed):
    champions, shadows = paired(Traffic(shadowed.clock), 90, every=2)

    await shadowed.serve(champions + shadows)

    assert await shadowed.sql(COUNTS) == [(90, 45, 0, 0, 10)]


async def test_versions_that_hardly_differ_are_not_asked_about(shadowed):
    champions, shadows = paired(Traffic(shadowed.clock), 150, every=1000)

    await shadowed.serve(champions + shadows)

    report = await reported(shadowed, stop_reason="TOO_FEW_DISAGREEMENTS")
    assert (report.message.asked, report.message.disagreements) == (0, 1)
    assert set(report.causes) <= {one.prediction_id for one in champions + shadows} != set()
    assert await shadowed.none(pb.PredictionFlagged)


async def test_undecided_gate_gets_as_many_again_once(shadowed):
    champions, shadows = paired(Traffic(shadowed.clock), 150, every=3)
    await shadowed.serve(champions + shadows)
    await shadowed.flags(10, stream=DISAGREEMENT)
    judgement = model_version_pb2.Judgement(
        model_version_id="clothes/model/2",
        champion_model_version_id="clothes/model/1",
        step=2,
        verdict=model_version_pb2.Judgement.VERDICT_UNDECIDED,
        look=1,
    )
    judged = registry_pb.ModelVersionJudged(project_id="clothes", judgement=judgement)

    judged_id = await publish(shadowed.kafka, judged)
    await publish(shadowed.kafka, judged)

    flags = await shadowed.flags(20, stream=DISAGREEMENT)
    events = {event.message.flag.flag_id: event for event in await shadowed.collect(pb.PredictionFlagged, 20)}
    asked_by = [judged_id in events[flag.flag_id].causes for flag in sorted(flags, key=lambda f: f.disagreement.number)]
    assert asked_by == [False] * 10 + [True] * 10
    assert sorted(flag.disagreement.number for flag in flags) == list(range(1, 21))
    assert len({flag.sample_id for flag in flags}) == 20
    assert await shadowed.none(pb.PredictionFlagged, more_than=20)


async def test_pairs_of_a_challenger_that_is_gone_buy_no_labels(shadowed):
    champions, shadows = paired(Traffic(shadowed.clock), 150, every=2)
    await shadowed.serve(champions)
    await shadowed.route(1, revision=2, left=2)

    await shadowed.serve(shadows)

    assert await shadowed.sql(COUNTS) == [(150, 75, 0, 0, 10)]
    assert await shadowed.one("select count(*) from disagreements") == 0
    assert await shadowed.none(pb.PredictionFlagged)


async def test_the_same_input_is_asked_about_once(shadowed):
    traffic = Traffic(shadowed.clock)
    champions = [one for _ in range(60) for one in traffic.predictions(2)]
    for one in champions[::2]:
        one.input_content, one.input_sha256 = b"again", "a" * 64
    shadows = [traffic.shadow_of(one, differs=index % 2 == 0) for index, one in enumerate(champions)]

    await shadowed.serve(champions + shadows)

    (flag,) = await shadowed.flags(1, stream=DISAGREEMENT)
    assert flag.probability == 1.0
    assert await shadowed.none(pb.PredictionFlagged, more_than=1)


async def test_refused_disagreement_leaves_no_hole_in_the_numbers(shadowed):
    traffic = Traffic(shadowed.clock)
    champions = traffic.predictions(120)
    for number, one in enumerate(champions[:40]):
        one.input_content, one.input_sha256 = b"broken" + bytes([number]), f"{number:064x}"
    shadows = [traffic.shadow_of(one, differs=index % 2 == 0) for index, one in enumerate(champions)]

    await shadowed.serve(champions + shadows)

    flags = await shadowed.flags(10, stream=DISAGREEMENT)
    assert sorted(flag.disagreement.number for flag in flags) == list(range(1, 11))
    assert await shadowed.one("select count(*) from picks where state = 'refused'") > 0
    (row,) = await shadowed.sql("select sum(reserved), sum(spent) from ledger")
    assert row == (0, 10)
