"""What links open, over a real socket."""

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from console_world import SECRET, sound

from relearn_console.links import Links, Target, View
from relearn_media import encode_png

LINKS = Links(SECRET.encode(), valid_s=600)
PICTURE = encode_png(np.random.default_rng(4).integers(0, 256, size=(90, 120, 3), dtype=np.uint8))
HOSTILE = b"<!doctype html><script>alert(document.cookie)</script>"


@pytest.fixture
def put(console_folder):
    """Puts bytes where datasets does; gives their name."""

    def put(content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        folder = console_folder / "objects" / "blobs" / sha256[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / sha256).write_bytes(content)
        return sha256

    return put


def link(sha256: str, media_type: str, view: View = View.SOURCE, *, made_ago: timedelta = timedelta()) -> str:
    end = LINKS.end(datetime.now(UTC) - made_ago)
    return LINKS.to(Target(view=view, sha256=sha256, media_type=media_type), end=end)


def test_a_link_opens_the_bytes_without_a_session_and_the_browser_keeps_them(console, put):
    path = link(put(PICTURE), "image/png")

    answer = console.get(path)
    again = console.get(path, if_none_match=answer.headers["etag"])

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, PICTURE, "image/png")
    assert answer.headers["accept-ranges"] == "bytes"
    kept = answer.headers["cache-control"]
    assert kept.startswith("private, max-age=")
    assert 590 <= int(kept.split("=")[1].split(",")[0]) <= 900
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=-7", len(PICTURE) - 7, None), ("bytes=100-", 100, None)]
)
def test_a_part_is_given_for_a_range(console, put, asked, start, end):
    answer = console.get(link(put(PICTURE), "image/png"), range=asked)

    expected = PICTURE[start:end]
    assert (answer.status, answer.body) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(PICTURE)}"
    assert answer.headers["content-length"] == str(len(expected))


def test_a_range_beyond_the_end_is_refused_with_the_size(console, put):
    answer = console.get(link(put(PICTURE), "image/png"), range=f"bytes={len(PICTURE)}-")

    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(PICTURE)}")


def test_a_changed_file_is_sent_whole(console, put):
    answer = console.get(link(put(PICTURE), "image/png"), range="bytes=0-9", if_range='"something else"')

    assert (answer.status, answer.body) == (200, PICTURE)


def test_a_head_says_what_a_get_would(console, put):
    answer = console.request("HEAD", link(put(PICTURE), "image/png"))

    assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(len(PICTURE)), b"")


def test_a_link_ends(console, put):
    answer = console.get(link(put(PICTURE), "image/png", made_ago=timedelta(minutes=20)))

    assert (answer.status, answer.json["details"][0]["debug"]["reason"]) == (410, "LINK_ENDED")


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("source", "view"),
        (".png", ".jpg"),
        ("expires=1", "expires=2"),
        ("signature=", "signature=0"),
        ("?expires", "?e"),
        ("signature=", "signature=%C3%A4"),
    ],
)
def test_a_changed_link_opens_nothing(console, put, there, instead):
    answer = console.get(link(put(PICTURE), "image/png").replace(there, instead, 1))

    assert (answer.status, answer.json["details"][0]["debug"]["reason"]) == (403, "LINK_FORGED")
    assert PICTURE not in answer.body


@pytest.mark.parametrize("path", ["/media/source/x.png", "/media/source/../../secret", f"/media/other/{'0' * 64}.png"])
def test_a_path_that_no_link_has_is_not_there(console, path):
    assert console.get(path).status in (404, 503)  # 503: that of the page, which is not built here


def test_bytes_that_are_not_in_storage_are_not_there(console):
    assert console.get(link("0" * 64, "image/png")).status == 404


@pytest.mark.parametrize("media_type", ["text/plain; charset=utf-8", "image/png"])
def test_markup_is_never_a_document(console, put, media_type):
    answer = console.get(link(put(HOSTILE), media_type))

    assert (answer.status, answer.body) == (200, HOSTILE)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_a_thumbnail_is_made_when_it_is_looked_at_and_found_again(console, put):
    path = link(put(PICTURE), "image/webp", View.THUMBNAIL)

    first, second = console.get(path), console.get(path)

    assert (first.status, first.headers["content-type"]) == (200, "image/webp")
    assert first.body == second.body
    assert first.body[8:12] == b"WEBP"
    assert first.headers["content-disposition"].startswith("inline")


def test_the_peaks_and_the_spectrogram_of_a_sound_are_made(console, put):
    sha256 = put(sound())

    peaks = console.get(link(sha256, "application/json", View.PEAKS))
    spectrogram = console.get(link(sha256, "image/png", View.SPECTROGRAM))

    assert peaks.status == 200
    assert max(high for _, high in json.loads(peaks.body)) == pytest.approx(20000 / 32768, abs=0.02)
    assert spectrogram.body.startswith(b"\x89PNG")


def test_what_a_sample_does_not_have_is_not_there(console, put):
    answer = console.get(link(put(PICTURE), "application/json", View.PEAKS))

    assert (answer.status, answer.json["message"]) == (404, "this sample has no peaks of the type application/json")


@pytest.mark.parametrize(
    "content",
    [b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xff" * 40, b"OggS" + b"\0" * 60, sound()[:40], gzip.compress(b"x")],
    ids=["absurd wav", "empty ogg", "cut off wav", "gzip"],
)
def test_bytes_that_nobody_can_show_are_refused_in_words_again_and_again(console, put, content):
    path = link(put(content), "application/json", View.PEAKS)

    first, second = console.get(path), console.get(path)

    assert (first.status, second.status) == (404, 404)
    assert first.json["message"] == second.json["message"] != ""
