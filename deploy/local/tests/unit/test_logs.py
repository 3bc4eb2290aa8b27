from relearn_local import logs


def test_a_new_run_sets_the_last_log_aside(tmp_path):
    log = tmp_path / "logs" / "web.log"
    logs.begin(log)
    log.write_text("first run")

    logs.begin(log)

    assert log.read_text() == ""
    assert logs.previous(log).read_text() == "first run"


def test_a_log_that_grew_too_large_is_cut_while_its_process_goes_on_writing(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as process:
        process.write(b"x" * 100)

        logs.cut(log, largest_bytes=50)
        process.write(b"after")

    assert log.read_bytes() == b"after"
    assert logs.previous(log).read_bytes() == b"x" * 100


def test_a_small_log_is_left_alone(tmp_path):
    log = tmp_path / "web.log"
    log.write_text("short")

    logs.cut(log, largest_bytes=50)

    assert log.read_text() == "short"
    assert not logs.previous(log).exists()


def test_the_end_of_a_log_is_its_last_lines_indented(tmp_path):
    log = tmp_path / "web.log"
    log.write_bytes(b"one\ntwo\nbad \xff byte\n")

    assert logs.end_of(log, lines=2) == "    two\n    bad \N{REPLACEMENT CHARACTER} byte"


def test_a_log_that_is_not_there_has_no_end(tmp_path):
    assert logs.end_of(tmp_path / "none.log") == ""
