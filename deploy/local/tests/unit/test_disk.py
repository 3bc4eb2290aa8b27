import pytest

from relearn_local import disk


def test_a_disk_that_is_large_enough_passes_even_for_a_folder_that_is_not_there_yet(tmp_path):
    disk.require(tmp_path / "not" / "yet", size_bytes=1, what="a test")


def test_a_disk_that_is_too_small_is_refused_with_what_is_there_and_what_is_needed(tmp_path):
    with pytest.raises(disk.DiskTooSmall, match=r"for a test: .* GiB free, 1048576\.0 GiB are needed; .*RELEARN_HOME"):
        disk.require(tmp_path / "not" / "yet", size_bytes=2**50, what="a test")
