"""The page, as files."""

import gzip
import os
import shutil

import pytest
from console_world import NEXT_TASK

SCRIPT = b"console.log('labels')\n" * 40


@pytest.fixture
def page(console_folder):
    """A build of two files, beside a file that is none of it."""
    folder = console_folder / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(b"<!doctype html><title>Relearn</title>")
    (folder / "assets" / "index-a1b2.js").write_bytes(SCRIPT)
    (console_folder / "secret.txt").write_text("nobody's business")
    (folder / "stray.txt").symlink_to(console_folder / "secret.txt")
    yield folder
    shutil.rmtree(folder)


def test_a_page_that_is_not_built_says_how_to_build_it(console):
    answer = console.get("/")

    assert answer.status == 503
    assert b"make page" in answer.body


@pytest.mark.parametrize("path", ["/", "/index.html", "/projects/fashion", "/review/a.b"])
def test_every_place_of_the_page_is_the_page(console, page, path):
    answer = console.get(path)

    assert (answer.status, answer.body) == (200, b"<!doctype html><title>Relearn</title>")
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_a_file_named_by_its_content_is_kept_for_ever_and_travels_packed(console, page):
    plain = console.get("/assets/index-a1b2.js")
    packed = console.get("/assets/index-a1b2.js", accept_encoding="br, gzip")

    assert (plain.body, gzip.decompress(packed.body)) == (SCRIPT, SCRIPT)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert packed.headers["vary"] == "accept-encoding"


def test_what_a_browser_has_is_not_sent_again(console, page):
    etag = (console.get("/")).headers["etag"]

    answer = console.get("/", if_none_match=f'"other", {etag}')

    assert (answer.status, answer.body) == (304, b"")


def test_a_new_build_is_served_without_a_restart(console, page):
    console.get("/")
    (page / "index.html").write_bytes(b"newer")
    os.utime(page / "index.html", (0, 0))

    assert (console.get("/")).body == b"newer"


def test_a_file_that_a_build_writes_after_its_index_is_served_too(console, page):
    console.get("/")
    (page / "assets" / "late-c3d4.js").write_bytes(b"late")

    assert console.get("/assets/late-c3d4.js").body == b"late"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/stray.txt",
        "//secret.txt",
    ],
)
def test_what_is_not_in_the_build_is_not_there(console, page, path):
    answer = console.get(path)

    assert answer.status == 404


def test_a_method_is_not_for_getting(console, page):
    answer = console.get(NEXT_TASK)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
