"""Which files of a folder are imported, and with which class."""

from __future__ import annotations

from pathlib import Path

import pytest

from relearn_client import InvalidInput
from relearn_client.imports import labeled_files, unlabeled_files


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_the_subfolder_is_the_class_and_order_is_that_of_names(tmp_path: Path):
    make(
        tmp_path, "pear/b.png", "apple/2.JPG", "apple/deep/1.jpeg", "apple/notes.txt", ".git/x.png", "pear/.hidden.png"
    )

    found = [(one.label, one.path.name) for one in labeled_files(tmp_path, "image").files]

    assert found == [("apple", "2.JPG"), ("apple", "1.jpeg"), ("pear", "b.png")]


def test_pictures_without_a_class_are_refused_with_a_way_out(tmp_path: Path):
    make(tmp_path, "apple/1.png", "lost.png")

    with pytest.raises(InvalidInput, match=r"lost\.png") as caught:
        labeled_files(tmp_path, "image")

    assert "--unlabeled" in caught.value.next_step


def test_unlabeled_files_may_lie_anywhere(tmp_path: Path):
    make(tmp_path, "a/1.png", "2.png", "readme.md")

    assert [(one.label, one.path.name) for one in unlabeled_files(tmp_path, "image").files] == [
        ("", "2.png"),
        ("", "1.png"),
    ]


@pytest.mark.parametrize("listing", [labeled_files, unlabeled_files])
def test_a_folder_without_pictures_and_no_folder_are_refused(tmp_path: Path, listing):
    with pytest.raises(InvalidInput, match=r"no file that ends in \.jpeg, \.jpg, \.png"):
        listing(make(tmp_path, "apple/notes.txt"), "image")
    with pytest.raises(InvalidInput, match="is no folder"):
        listing(tmp_path / "none", "image")


@pytest.mark.parametrize("listing", [labeled_files, unlabeled_files])
def test_files_that_are_no_pictures_are_listed_and_folders_are_none(tmp_path: Path, listing):
    make(tmp_path, "apple/1.png", "apple/2.webp", "apple/x.png/3.jpg", "notes.txt", ".hidden/4.bmp")
    (tmp_path / "apple" / "lost.png").symlink_to(tmp_path / "nowhere")

    found = listing(tmp_path, "image")

    assert sorted(one.path.name for one in found.files) == ["1.png", "3.jpg"]
    assert found.skipped == ("apple/2.webp", "apple/lost.png", "notes.txt")


@pytest.mark.parametrize(
    ("input_kind", "name"), [("text", "a/1.TXT"), ("audio", "a/2.wav"), ("video", "a/3.mp4"), ("image", "a/4.png")]
)
def test_the_projects_kind_of_samples_is_taken_from_a_folder_of_many(tmp_path: Path, input_kind, name):
    make(tmp_path, "a/1.TXT", "a/2.wav", "a/3.mp4", "a/4.png", "a/5")

    found = labeled_files(tmp_path, input_kind)

    assert [str(one.path.relative_to(tmp_path)) for one in found.files] == [name]
    assert len(found.skipped) == 4
