"""Files of labels name their media in many ways; the bytes say which sample it is."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from relearn_client import InvalidInput
from relearn_client.media_files import MediaFiles, info_of
from relearn_media import encode_png


@pytest.fixture
def folder(tmp_path):
    for name in ("one.png", "train/two.png", "train/same.png", "val/same.png", ".hidden.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(np.full((3, 5, 1), len(name), dtype=np.uint8)) + name.encode())
    return tmp_path


@pytest.mark.parametrize("name", ["one.png", "one", "street/one.png", "train/two.png", "train/two", "two"])
def test_a_file_is_found_by_path_or_name_with_or_without_its_ending(folder, name):
    found = MediaFiles(folder).find(name)

    assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
    assert (found.info.width, found.info.height) == (5, 3)


def test_a_name_of_two_files_is_no_guess_and_a_path_is_none(folder):
    files = MediaFiles(folder)

    assert files.find("val/same.png").path == folder / "val" / "same.png"
    with pytest.raises(InvalidInput, match="several files are called same"):
        files.find("same.png")


def test_what_is_hidden_or_not_there_is_not_found(folder):
    files = MediaFiles(folder)

    assert [files.find(name) for name in (".hidden.png", "three.png", "../one.txt")] == [None, None, None]
    assert MediaFiles(None).find("one.png") is None
    with pytest.raises(InvalidInput, match="is no folder"):
        MediaFiles(folder / "one.png")


def test_all_files_are_known_by_what_is_in_them(folder):
    files = MediaFiles(folder)

    found = files.by_digest()

    assert {files.name_of(path) for path in found.values()} == {
        "one.png",
        "train/two.png",
        "train/same.png",
        "val/same.png",
    }


def test_what_cannot_be_read_has_no_size():
    assert info_of(b"\x00\x01 nothing") is None
    assert info_of("größe 😀".encode()).code_units == 8
