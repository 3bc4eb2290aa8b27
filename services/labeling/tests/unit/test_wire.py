"""Protobuf to domain and back."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
from labeling_values import answered, task
from labeling_values import flag as a_flag

from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as service_pb
from relearn.monitoring.v1 import flag_pb2
from relearn.registry.v1 import project_pb2
from relearn.registry.v1.project_pb2 import LabelingPolicy, Project
from relearn_labeling import wire
from relearn_labeling.domain.errors import InvalidFlag, InvalidRegion, TooManyRegions
from relearn_labeling.domain.order import blind_why
from relearn_labeling.domain.tasks import Policy, SkipReason, Source, State, Stream, Truth
from relearn_runtime.errors import InvalidInput

CONTRACT = Path(__file__).parents[4] / "proto/relearn/registry/v1/project.proto"


def test_every_stream_of_the_contract_is_known_in_both_directions():
    numbers = set(flag_pb2.Stream.values()) - {flag_pb2.STREAM_UNSPECIFIED}

    assert set(wire.STREAMS) == numbers
    assert set(wire.STREAMS.values()) == set(Stream)


def test_every_state_of_the_contract_is_known_in_both_directions():
    numbers = set(label_task_pb2.LabelTask.State.values()) - {label_task_pb2.LabelTask.STATE_UNSPECIFIED}

    assert set(wire.STATES.values()) == numbers
    assert set(wire.STATES) == set(State)
    assert {wire.state(number) for number in numbers} == set(State)
    assert wire.state(label_task_pb2.LabelTask.STATE_UNSPECIFIED) is None


def test_every_source_and_skip_reason_of_the_contract_is_known_in_both_directions():
    skips = set(service_pb.SkipReason.values()) - {service_pb.SKIP_REASON_UNSPECIFIED}

    assert set(wire.SOURCES.values()) == set(label_task_pb2.LabelRequest.Source.values())
    assert set(wire.SOURCES) == set(Source)
    assert set(wire.SKIP_REASONS) == skips
    assert set(wire.SKIP_REASONS.values()) == set(SkipReason)


def test_a_flag_keeps_everything_it_came_with():
    message = flag_pb2.Flag(
        flag_id="f", project_id="clothes", sample_id="clothes/sample/a", stream=flag_pb2.STREAM_AUDIT, probability=0.5
    )

    known = wire.flag(message, event_id="event")

    assert (known.id, known.stream, known.event_id) == ("f", Stream.AUDIT, "event")
    assert flag_pb2.Flag.FromString(known.content) == message


@pytest.mark.parametrize(
    "message",
    [
        flag_pb2.Flag(project_id="p", sample_id="p/sample/a", stream=flag_pb2.STREAM_AUDIT),
        flag_pb2.Flag(flag_id="f", project_id="p", stream=flag_pb2.STREAM_AUDIT),
        flag_pb2.Flag(flag_id="f", project_id="p", sample_id="p/sample/a"),
        flag_pb2.Flag(flag_id="f", project_id="p", sample_id="p/sample/a", stream=99),
    ],
)
def test_a_flag_that_can_never_become_a_task_is_refused(message: flag_pb2.Flag):
    with pytest.raises(InvalidFlag):
        wire.flag(message, event_id="event")


def test_a_policy_that_leaves_everything_out_has_the_defaults_of_the_contract():
    assert wire.policy(Project()) == Policy()


def test_a_policy_keeps_what_was_chosen_zero_like_values_too():
    message = LabelingPolicy(overlap_selected=2, overlap_audit=5, overlap_disagreement=7, answers_per_day=0)
    message.lease.seconds, message.patience.seconds = 30, 60

    policy = wire.policy(Project(labeling=message))

    assert [policy.overlap(stream) for stream in Stream] == [5, 2, 7]
    assert (policy.answers_per_day, policy.lease) == (0, timedelta(seconds=30))


def test_the_defaults_of_the_policy_are_those_that_the_contract_names():
    said: dict[str, float] = {}
    comment = ""
    for line in CONTRACT.read_text().partition("message LabelingPolicy {")[2].partition("}")[0].splitlines():
        if line.strip().startswith("//"):
            comment += line.strip()[2:]
        elif field := re.match(r"\s+(?:optional )?[\w.]+ (\w+) = \d+;", line):
            if default := re.search(r"Default (\d+(?:\.\d+)?)(?: (s|h))?\.?(?:\s|$)", comment):
                said[field[1]] = float(default[1].rstrip(".")) * {"s": 1, "h": 3600}.get(default[2], 1)
            comment = ""

    ours = {name: value for name, value in asdict(Policy()).items() if isinstance(value, int | float)}
    durations = {name: value for name, value in asdict(Policy()).items() if isinstance(value, timedelta)}
    assert {**ours, **{name: value.total_seconds() for name, value in durations.items()}} == said
    assert (Policy().truth, Policy().most_overlap, Policy().answers_per_annotator) == (Truth.MAJORITY, None, None)


def test_every_way_from_answers_to_labels_is_known():
    assert set(wire.TRUTHS) == set(project_pb2.Truth.values())
    assert set(wire.TRUTHS.values()) == set(Truth)


def test_all_that_a_policy_says_is_read():
    message = LabelingPolicy(truth=project_pb2.TRUTH_WEIGHTED, most_overlap=7, iou=0.6, gold_share=0, tasks_in_hand=1)

    policy = wire.policy(Project(labeling=message))

    assert (policy.truth, policy.most_overlap, policy.iou, policy.tasks_in_hand) == (Truth.WEIGHTED, 7, 0.6, 1)


def test_an_answer_is_measured_before_it_is_read():
    crowd = service_pb.SubmitAnnotationRequest(regions=[label_task_pb2.Region(label="a")] * 5001)
    long = service_pb.SubmitAnnotationRequest(regions=[label_task_pb2.Region(transcript="x" * 600_000)])

    with pytest.raises(TooManyRegions):
        wire.answer(crowd, annotator="ann")
    with pytest.raises(InvalidRegion, match="at most 573440 bytes"):
        wire.answer(long, annotator="ann")


def test_what_a_label_does_not_know_is_absent_on_the_wire():
    known = answered(task(), ann="boot")
    sure = replace(known.label, posterior=0.0, reviewer="rita", time_spent=timedelta(seconds=2.5))

    told, plain = wire.label(sure, task=known), wire.label(known.label, task=known)

    assert (told.HasField("posterior"), told.posterior, told.reviewer) == (True, 0.0, "rita")
    assert told.time_spent.ToTimedelta() == timedelta(seconds=2.5)
    assert (plain.HasField("posterior"), plain.HasField("time_spent"), plain.reviewer) == (False, False, "")
    assert wire.annotation(known.annotations[0], task=known).label_set_version == known.label_set_version


def test_an_annotator_is_shown_a_task_without_flags():
    blind, whole = wire.blind_label_task(task(), why=blind_why(task())), wire.label_task(answered(task(), ann="boot"))

    told = {field.name for field, _ in blind.ListFields()}
    assert told == {"label_task_id", "project_id", "sample_id", "label_set_version", "state", "why"}
    assert whole.answers == 1
    assert whole.why != blind.why


@pytest.mark.parametrize("seconds", [-1, 3601, 10**15, -(10**15)])
def test_a_time_that_nobody_spends_is_refused(seconds):
    whole = label_task_pb2.Region(whole=label_task_pb2.Whole(), label="boot")
    request = service_pb.SubmitAnnotationRequest(regions=[whole])
    request.time_spent.seconds = seconds

    with pytest.raises(InvalidInput, match="between 0 and an hour"):
        wire.answer(request, annotator="ann")


def test_flags_of_a_task_are_its_flags_whole():
    known = a_flag()
    message = flag_pb2.Flag(flag_id="f", reason="because")

    assert wire.flags(task(replace(known, content=message.SerializeToString()))) == [message]
