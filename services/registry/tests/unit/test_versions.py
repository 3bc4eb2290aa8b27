"""The queue before the gate: one challenger, the newest that waits, and what a route does to everybody."""

import pytest

from relearn_registry.domain.versions import (
    AlreadyChampion,
    AlreadyInCanary,
    Candidate,
    ModelVersionNotFound,
    RouteNow,
    Standing,
    VersionBarred,
    after_route,
    check_promotable,
    next_to_judge,
    superseded,
)


def candidate(number, standing, champion=None):
    return Candidate(model_version_id=f"m/{number}", number=number, standing=standing, champion_id=champion)


def route(champion=1, challenger=None, *, in_shadow=False, barred=(), revision=2):
    return RouteNow(
        route_id=f"p/route/{revision}",
        event_id=f"event of {revision}",
        revision=revision,
        champion_id=f"m/{champion}",
        challenger_id=f"m/{challenger}" if challenger else None,
        in_shadow=in_shadow,
        barred=frozenset(f"m/{b}" for b in barred),
    )


def test_the_newest_that_waits_is_judged_when_the_way_is_free():
    waiting = [candidate(1, Standing.CHAMPION), candidate(2, Standing.WAITING), candidate(3, Standing.WAITING)]

    assert next_to_judge(waiting, route()) is waiting[2]
    assert next_to_judge(waiting[1:], None) is waiting[2]


@pytest.mark.parametrize("standing", [Standing.ADMITTED, Standing.PASSED, Standing.APPROVAL])
def test_nobody_is_judged_while_one_is_on_its_way(standing):
    waiting = [candidate(2, standing), candidate(3, Standing.WAITING)]

    assert next_to_judge(waiting, route()) is None
    assert next_to_judge(waiting, None) is None


def test_nobody_is_judged_while_the_route_has_a_challenger():
    assert next_to_judge([candidate(2, Standing.REJECTED), candidate(3, Standing.WAITING)], route(1, 2)) is None


def test_what_waits_is_replaced_by_what_waits_and_is_newer():
    old, new = candidate(2, Standing.WAITING), candidate(4, Standing.WAITING)

    assert superseded([old, candidate(3, Standing.SHADOW), new], route(1, 3)) == [(old, new)]
    assert superseded([old], route()) == []


def test_a_first_version_under_approval_is_replaced_too():
    old, new = candidate(1, Standing.APPROVAL), candidate(2, Standing.WAITING)

    assert superseded([old, new], None) == [(old, new)]
    assert superseded([old, new], route(9)) == []


@pytest.mark.parametrize(
    ("before", "now", "standing", "expected"),
    [
        (route(), route(1, 2, in_shadow=True), Standing.ADMITTED, Standing.SHADOW),
        (route(1, 2, in_shadow=True), route(1, 2), Standing.PASSED, Standing.CANARY),
        (route(1, 2, in_shadow=True), route(1, 2, in_shadow=True), Standing.APPROVAL, Standing.APPROVAL),
        (route(1, 2), route(2), Standing.CANARY, Standing.CHAMPION),
        (route(1, 2), route(1), Standing.CANARY, Standing.UNDONE),
        (route(1, 2, in_shadow=True), route(1), Standing.REJECTED, Standing.REJECTED),
        (route(1, 2, in_shadow=True), route(1), Standing.APPROVAL, Standing.UNDONE),
        (route(2), route(1), Standing.CHAMPION, Standing.RETIRED),
        (route(1), route(2), Standing.RETIRED, Standing.CHAMPION),
        (route(1), route(3), Standing.ADMITTED, Standing.WAITING),
        (route(1), route(3), Standing.APPROVAL, Standing.WAITING),
        (route(1), route(1, barred=[2]), Standing.ADMITTED, Standing.UNDONE),
        (route(1), route(1, 3, in_shadow=True), Standing.PASSED, Standing.PASSED),
        (route(1), route(3), Standing.WAITING, Standing.WAITING),
    ],
)
def test_a_version_stands_where_the_route_puts_it(before, now, standing, expected):
    assert after_route(candidate(2, standing, champion="m/1"), before, now) is expected


def test_a_first_version_under_approval_waits_again_when_another_one_serves():
    assert after_route(candidate(2, Standing.APPROVAL), None, route(1)) is Standing.WAITING


def test_a_persons_word_is_step_one_while_nothing_serves_and_step_two_later():
    assert check_promotable(candidate(1, Standing.APPROVAL), None) == 1
    assert check_promotable(candidate(2, Standing.REJECTED), route()) == 2


@pytest.mark.parametrize(
    ("version", "where", "error"),
    [
        (candidate(1, Standing.CHAMPION), route(), AlreadyChampion),
        (candidate(2, Standing.UNDONE), route(barred=[2]), VersionBarred),
        (candidate(2, Standing.CANARY), route(1, 2), AlreadyInCanary),
        (candidate(2, Standing.COPYING), route(), ModelVersionNotFound),
    ],
)
def test_what_can_not_be_promoted_says_why(version, where, error):
    with pytest.raises(error):
        check_promotable(version, where)
