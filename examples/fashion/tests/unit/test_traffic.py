import json
from pathlib import Path

from fashion_demo.product_log import Answer, ProductLog
from fashion_demo.traffic import STRETCH, Traffic, accuracy_by_picture


def line(number: int, **values: object) -> str:
    fixed = {"time": 1.0, "number": number, "turned": False, "picture": "a/1.png", "sha256": "s", "truth": "a"}
    return json.dumps(fixed | values)


def answer(picture: str, given: str) -> Answer:
    fixed = {
        "time": 1.0,
        "number": 0,
        "turned": False,
        "sha256": "s",
        "version": "1",
        "prediction_id": "p",
        "error": "",
    }
    return Answer(picture=picture, truth="a", answer=given, **fixed)


def test_half_a_line_waits_for_its_other_half(tmp_path: Path):
    path = tmp_path / "log"
    log = ProductLog(path)
    first, second = line(1, answer="a"), line(2, error="away")

    path.write_text(first + "\n" + second[:10])
    before = log.read_new()
    path.write_text(first + "\n" + second + "\n")
    after = log.read_new()

    assert [(a.number, a.right) for a in before] == [(1, True)]
    assert [(a.number, a.right, a.error) for a in after] == [(2, False, "away")]


def test_there_is_nothing_to_read_before_the_product_has_written(tmp_path: Path):
    assert ProductLog(tmp_path / "log").read_new() == []


def test_the_curve_has_a_point_for_each_full_stretch(tmp_path: Path):
    path = tmp_path / "log"
    traffic = Traffic(ProductLog(path))

    path.write_text("".join(line(n, answer="a" if n < STRETCH else "b") + "\n" for n in range(STRETCH * 2 + 5)))
    traffic.read()

    assert traffic.curve == [1.0, 0.0]


def test_a_picture_that_comes_again_counts_once():
    answers = [answer("1", "a"), answer("1", "b"), answer("2", "b"), answer("3", "a")]

    found = accuracy_by_picture(answers, without={"3"})

    assert (found.value, found.n) == (0.5, 2)
