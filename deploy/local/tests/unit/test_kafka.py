"""What a first start that was interrupted leaves of the download."""

import zipfile

import pytest

from relearn_local import kafka


def test_a_download_that_was_interrupted_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("JGO_CACHE_DIR", str(tmp_path))
    jar = kafka.cache() / "envs" / "modules" / "kafka-clients-4.4.0.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()

    assert not kafka.are_jars_cached()


@pytest.mark.parametrize("kept_bytes", [10, 200])
def test_a_jar_that_was_cut_off_is_named(tmp_path, kept_bytes):
    whole = tmp_path / "whole.jar"
    with zipfile.ZipFile(whole, "w") as jar:
        jar.writestr("a.class", b"x" * 1000)
    cut = tmp_path / "cut.jar"
    cut.write_bytes(whole.read_bytes()[:kept_bytes])

    kafka.refuse_damaged([whole])
    with pytest.raises(kafka.KafkaUnavailable, match=r"cut\.jar arrived damaged"):
        kafka.refuse_damaged([whole, cut])
