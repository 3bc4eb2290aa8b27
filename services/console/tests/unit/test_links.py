"""Signed links."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from relearn_console.links import (
    MEDIA_TYPES,
    LinkEnded,
    LinkForged,
    Links,
    NotShown,
    Target,
    View,
    suffix_of,
    target_of,
)

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
LINKS = Links(b"secret", valid_s=600)
TARGET = Target(view=View.SOURCE, sha256="ab" * 32, media_type="image/png")


def parts(link: str) -> tuple[str, str, str]:
    query = parse_qs(urlsplit(link).query)
    return urlsplit(link).path, query["expires"][0], query["signature"][0]


def opened(link: str, *, now: datetime = NOW, links: Links = LINKS, target: Target = TARGET) -> timedelta:
    _, expires, signature = parts(link)
    return links.remaining(target, expires=expires, signature=signature, now=now)


def test_a_link_opens_what_it_was_made_for_until_it_ends():
    link = LINKS.to(TARGET, end=LINKS.end(NOW))

    assert parts(link)[0] == f"/media/source/{'ab' * 32}.png"
    assert opened(link) == timedelta(minutes=14)
    assert opened(link, now=NOW + timedelta(minutes=13, seconds=59)) == timedelta(seconds=1)
    with pytest.raises(LinkEnded):
        opened(link, now=NOW + timedelta(minutes=14))


def test_links_of_the_same_minutes_are_the_same_and_never_shorter_than_promised():
    ends = {LINKS.end(NOW + timedelta(seconds=second)) for second in range(240)}

    assert ends == {datetime(2026, 11, 25, 12, 15, tzinfo=UTC)}
    assert LINKS.end(NOW + timedelta(seconds=241)) == datetime(2026, 11, 25, 12, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    [
        Target(view=View.VIEW, sha256="ab" * 32, media_type="image/png"),
        Target(view=View.SOURCE, sha256="ac" * 32, media_type="image/png"),
        Target(view=View.SOURCE, sha256="ab" * 32, media_type="image/jpeg"),
    ],
    ids=str,
)
def test_a_link_opens_nothing_else(other):
    with pytest.raises(LinkForged):
        opened(LINKS.to(TARGET, end=LINKS.end(NOW)), target=other)


@pytest.mark.parametrize("expires", ["1764100000", "99999999999", "", "x", "1764072900.0"])
def test_nobody_can_prolong_a_link(expires):
    _, _, signature = parts(LINKS.to(TARGET, end=LINKS.end(NOW)))

    with pytest.raises(LinkForged):
        LINKS.remaining(TARGET, expires=expires, signature=signature, now=NOW)


def test_a_link_is_good_wherever_the_secret_is_the_same_and_nowhere_else():
    link = LINKS.to(TARGET, end=LINKS.end(NOW))

    assert opened(link, links=Links(b"secret", valid_s=60)) == timedelta(minutes=14)
    with pytest.raises(LinkForged):
        opened(link, links=Links(b"other", valid_s=600))


@pytest.mark.parametrize("media_type", sorted(MEDIA_TYPES.values()))
def test_every_media_type_that_is_served_is_found_again_by_its_path(media_type):
    target = Target(view=View.VIEW, sha256="0" * 64, media_type=media_type)

    assert target_of("view", target.path.rpartition("/")[2]) == target


def test_nothing_that_a_browser_runs_is_served():
    assert not [one for one in MEDIA_TYPES.values() if any(bad in one for bad in ("html", "svg", "xml", "script"))]
    with pytest.raises(NotShown):
        suffix_of("image/svg+xml")


@pytest.mark.parametrize(
    ("view", "name"),
    [
        ("source", "ab" * 32),
        ("source", "ab" * 32 + ".svg"),
        ("source", "ab" * 32 + ".html"),
        ("source", "AB" * 32 + ".png"),
        ("source", "../" + "ab" * 32 + ".png"),
        ("source", "ab" * 31 + ".png"),
        ("source", "ab" * 32 + ".png\n"),
        ("other", "ab" * 32 + ".png"),
    ],
)
def test_a_path_that_no_link_has_names_nothing(view, name):
    assert target_of(view, name) is None
