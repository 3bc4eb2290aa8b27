"""Folders and samples come into datasets whole, or not at all and with a reason."""

from __future__ import annotations

from uuid import uuid4

import pytest
from client_stack import pictures, png, project

from relearn_client import InvalidInput, NewSample


def test_a_folder_becomes_a_version_and_the_same_folder_again_nothing(relearn, fruit, tmp_path):
    told: list[tuple[int, int | None]] = []

    first = relearn.import_folder(fruit, pictures(tmp_path / "p"), on_progress=lambda *a: told.append(a))
    again = relearn.import_folder(fruit, tmp_path / "p")
    more = relearn.import_samples(fruit, [NewSample(content=png(77), label="boot")], origin="a test")

    assert (first.received, first.added, first.labeled) == (8, 8, 8)
    assert first.version.counts.imported == 8
    assert (again.added, again.version) == (0, None)
    assert told[-1] == (8, 8)
    assert [one.number for one in relearn.versions(fruit)] == [2, 1]
    diff = relearn.diff(first.version.dataset_version_id, more.version.dataset_version_id)
    assert (diff.added, [change.new_label for change in diff.changes]) == (1, ["boot"])


def test_the_current_folder_is_imported_under_its_own_name_without_what_is_no_picture(
    relearn, fruit, tmp_path, monkeypatch
):
    folder = pictures(tmp_path / "holiday", first=300)
    (folder / "boot" / "5.webp").touch()
    monkeypatch.chdir(folder)

    done = relearn.import_folder(fruit, ".")

    assert (done.received, done.skipped) == (8, ("boot/5.webp",))
    assert "holiday" in done.version.message


def test_an_import_that_ends_before_its_time_is_refused(relearn, fruit):
    class Cut(list):
        def __len__(self):
            return 3

    with pytest.raises(InvalidInput) as caught:
        relearn.import_samples(fruit, Cut([NewSample(content=png(1))]), origin="a test")

    assert caught.value.reason == "IMPORT_INCOMPLETE"
    assert relearn.versions(fruit) == ()


def test_a_sample_that_is_too_large_is_named_before_it_is_sent(relearn, fruit):
    large = NewSample(content=bytes(30 * 2**20 + 1))

    with pytest.raises(InvalidInput, match="sample 2 has more than 30 MiB") as caught:
        relearn.import_samples(fruit, [NewSample(content=png(1)), large], origin="a test")

    assert caught.value.reason == "SAMPLE_TOO_LARGE"


def test_a_folder_of_texts_is_imported_into_a_project_of_texts(relearn, tmp_path):
    name = f"notes-{uuid4().hex[:8]}"
    relearn.apply_project(project(name, input_kind="text"))
    for number, text in enumerate(("a boot", "a shirt")):
        path = tmp_path / "notes" / text.removeprefix("a ") / f"{number}.txt"
        path.parent.mkdir(parents=True)
        path.write_text(text)

    done = relearn.import_folder(name, tmp_path / "notes")

    assert (done.added, done.labeled, done.skipped) == (2, 2, ())
    (tmp_path / "notes" / "boot" / "2.txt").write_bytes(png(1))
    with pytest.raises(InvalidInput, match=r"2\.txt: .* a picture") as caught:
        relearn.import_folder(name, tmp_path / "notes")
    assert caught.value.reason == "OTHER_INPUT_KIND"


def test_a_file_that_is_no_picture_is_named_and_nothing_of_its_folder_is_imported(relearn, fruit, tmp_path):
    folder = pictures(tmp_path / "p", first=100)
    (folder / "shirt" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no picture")

    with pytest.raises(InvalidInput, match=r"broken\.png") as caught:
        relearn.import_folder(fruit, folder)

    assert caught.value.reason == "IMAGE_UNDECODABLE"
    assert relearn.versions(fruit) == ()
    (folder / "hat").mkdir()
    (folder / "shirt" / "broken.png").rename(folder / "hat" / "1.png")
    (folder / "hat" / "1.png").write_bytes(png(4))
    with pytest.raises(InvalidInput, match=r"hat/1\.png") as outside:
        relearn.import_folder(fruit, folder)
    assert outside.value.reason == "NOT_IN_LABEL_SET"


def test_an_error_while_reading_samples_is_the_callers_own(relearn, fruit):

    def samples():
        yield NewSample(content=png(1), label="boot")
        raise KeyError("the caller's bug")

    with pytest.raises(KeyError, match="the caller's bug"):
        relearn.import_samples(fruit, samples(), origin="a test")
    assert relearn.versions(fruit) == ()
