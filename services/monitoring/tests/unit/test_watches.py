"""What is watched: the days of a project, and the quality of a reference."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from relearn_monitoring.domain.quality import Audit, Quality
from relearn_monitoring.domain.watches import Monitored, Watch, reference_quality

FIRST = date(2026, 11, 23)
NEW = Monitored(
    project_id="clothes",
    predictions=0,
    refused_inputs=0,
    route_revision=0,
    shards=1,
    day=FIRST,
    today=0,
    yesterday=None,
    first_day=FIRST,
)


def test_reference_quality_prefers_enough_audits_of_the_reference():
    validated = Quality(accuracy=0.8, lower=0.78, upper=0.82, audits=1000)
    watch = Watch(model_version_id="clothes/model/1", project_id="clothes", validated=validated)
    audits = [Audit(probability=0.1, correct=index % 10 > 0) for index in range(40)]

    assert reference_quality(watch, audits[:29], None).source == "validation"
    assert reference_quality(watch, audits, None).accuracy == pytest.approx(0.9)
    assert reference_quality(replace(watch, validated=None), [], None).lower == 0.0


def test_a_whole_day_becomes_yesterday_and_a_part_of_one_does_not():
    second = NEW.counted(70, auditable=70).on(FIRST + timedelta(days=1)).counted(500, auditable=500)
    third = second.on(FIRST + timedelta(days=2))

    assert (second.yesterday, second.today, second.predictions) == (None, 500, 570)
    assert (third.yesterday, third.today) == (500, 0)
    assert third.on(FIRST) == third


def test_a_quiet_day_does_not_become_yesterday():
    second = NEW.on(FIRST + timedelta(days=1)).counted(500, auditable=500)

    quiet = second.on(FIRST + timedelta(days=2))

    assert quiet.on(FIRST + timedelta(days=3)).yesterday == 500
    assert NEW.on(FIRST + timedelta(days=1)).on(FIRST + timedelta(days=2)).yesterday is None


def test_what_is_never_audited_is_no_part_of_the_day_that_audits_are_spread_over():
    assert (NEW.counted(100, auditable=40).predictions, NEW.counted(100, auditable=40).today) == (100, 40)
