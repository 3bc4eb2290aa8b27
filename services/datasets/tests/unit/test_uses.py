"""What a group is for."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relearn_datasets.domain.samples import IMPORTED, Draw, Stream, Use
from relearn_datasets.domain.uses import BUCKETS, Shares, bucket, use_of, use_of_bucket

SHARES = Shares(validation=0.25, test=0.1)


def test_a_bucket_is_the_start_of_a_salted_hash_scaled_to_ten_thousand():
    digest = hashlib.sha256(b"clothes\0recording-1").digest()

    assert bucket("clothes", "recording-1") == int.from_bytes(digest[:8], "big") * 10_000 // 2**64


def test_buckets_never_change_with_the_code():
    assert [bucket("clothes", key) for key in ("a", "b", "c")] == [7079, 7925, 9064]


@given(st.text(), st.text())
def test_a_bucket_is_in_range(project_id, group_key):
    assert 0 <= bucket(project_id, group_key) < BUCKETS


def test_buckets_of_many_groups_are_even():
    found = [bucket("clothes", str(n)) for n in range(20_000)]

    assert abs(sum(found) / len(found) - BUCKETS / 2) < 50


@pytest.mark.parametrize(
    ("bucket", "use"),
    [
        (0, Use.TEST),
        (999, Use.TEST),
        (1000, Use.VALIDATION),
        (3499, Use.VALIDATION),
        (3500, Use.TRAIN),
        (9999, Use.TRAIN),
    ],
)
def test_test_comes_from_the_lowest_buckets_then_validation_then_training(bucket, use):
    assert use_of_bucket(bucket, SHARES) is use


@pytest.mark.parametrize(
    ("stream", "use"),
    [(Stream.SELECTED, Use.TRAIN), (Stream.AUDIT, Use.VALIDATION), (Stream.DISAGREEMENT, Use.VALIDATION)],
)
def test_a_flagged_sample_goes_where_its_stream_says_whatever_its_bucket(stream, use):
    for number in (0, 5000, 9999):
        assert use_of(Draw(stream=stream, probability=0.5), bucket=number, shares=SHARES) is use


def test_an_imported_sample_goes_where_its_bucket_says():
    assert use_of(IMPORTED, bucket=0, shares=SHARES) is Use.TEST
    assert use_of(IMPORTED, bucket=9999, shares=SHARES) is Use.TRAIN
