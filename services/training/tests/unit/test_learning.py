"""The learning core on tiny pictures; the only unit tests that import torch."""

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import polars as pl
import pytest
import torch

from relearn_media import Preprocessing, encode_png, preprocess
from relearn_training.domain.search import RECIPE, WIDTHS, Parameters
from relearn_training.learning import prepared as prepared_files
from relearn_training.learning import tasks
from relearn_training.learning.evaluation import by_class, evaluate
from relearn_training.learning.families import FAMILIES, build
from relearn_training.learning.groups import groups_of, judged
from relearn_training.learning.inputs import normaliser
from relearn_training.learning.prepared import COLUMNS, Prepared
from relearn_training.learning.preparing import prepare
from relearn_training.learning.projection import fit_projection
from relearn_training.learning.provenance import provenance
from relearn_training.learning.recipe import RECIPES
from relearn_training.learning.tasks import ExportTask, PrepareTask, TrialTask
from relearn_training.learning.trial import train
from relearn_training.learning.weights import dump_weights
from relearn_training.learning.winner import export

SIDE = 10
PLAIN = Parameters(family="plain-cnn", width=8, learning_rate=0.006, new_share=0.5)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def rows(n: int, use: str, stream: str = "imported", probability: float | None = None, version: int = 1):
    return [(f"s{use}{stream}{i}", use, stream, probability, version) for i in range(n)]


def table(*groups):
    return pl.DataFrame([row for group in groups for row in group], schema=COLUMNS, orient="row")


@pytest.fixture(scope="module")
def shapes() -> Prepared:
    """Two classes: a bright top or a bright bottom."""
    samples = table(
        rows(60, "train"), rows(40, "validation"), rows(12, "train", "selected", 0.5, 2),
        rows(12, "validation", "audit", 0.2, 2), rows(6, "validation", "disagreement", 0.1, 2),
    )  # fmt: skip
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, len(samples))
    pixels = generator.integers(0, 80, (len(samples), SIDE, SIDE, 1), dtype=np.uint8)
    for row, label in enumerate(labels):
        pixels[row, 1 : 4 if label == 0 else -4] += 90 if label == 0 else 0
        pixels[row, -4:-1] += 150 if label == 1 else 0
    return Prepared(
        pixels=pixels,
        labels=labels.astype(np.int64),
        samples=samples,
        preprocessing=Preprocessing(height=SIDE, width=SIDE, channels=1, mean=(0.2,), std=(0.2,)),
        classes=("top", "bottom"),
        left_out={},
        new_labels=12,
    )


def trial(tmp_path, **more) -> TrialTask:
    values = {
        "run_id": "r", "recipe": RECIPE, "parameters": PLAIN, "seed": 3, "epochs": 2, "dataset_version_id": "p/data/2",
        "prepared": tmp_path, "output": tmp_path, "champion": None, "champion_run_id": "", "champion_version_n": 1,
        "audits_since_n": 1,
    }  # fmt: skip
    return TrialTask(**(values | more))


def ignore(_) -> None:
    pass


@pytest.fixture
def few_steps(monkeypatch):
    """For what needs weights, but no good ones."""
    monkeypatch.setattr("relearn_training.learning.trial.MIN_STEPS", 12)


def test_equal_seeds_give_equal_weights_and_another_seed_gives_others(shapes, tmp_path, few_steps):
    first, second, other = (
        dump_weights(train(trial(tmp_path, seed=seed), shapes, tell=ignore).model) for seed in (3, 3, 4)
    )

    assert first == second
    assert first != other


def test_a_model_learns_is_judged_and_exported_to_files_that_answer_alike(shapes, tmp_path):
    told = []

    trained = train(trial(tmp_path), shapes, tell=told.append)
    evaluation = evaluate(trained, shapes)
    task = ExportTask(
        run_id="r",
        recipe=RECIPE,
        parameters=PLAIN,
        temperature=evaluation.temperature,
        prepared=tmp_path,
        output=tmp_path,
    )
    files = export(task, shapes, weights=dump_weights(trained.model), temperature=evaluation.temperature)

    measured = {one.name: one for one in evaluation.measurements}
    assert measured["accuracy/imported"].value > 0.9
    assert measured["accuracy/imported"].samples == 40
    assert measured["accuracy/audit"].samples == 12
    assert [point.epoch for point in told] == [1, 2]
    assert sorted(files) == ["model.json", "model.onnx", "reference.safetensors"]
    assert b"/learning/" not in files["model.onnx"]  # no source paths of this machine


def test_a_champion_is_continued_from_its_weights(shapes, tmp_path, few_steps):
    champion = train(trial(tmp_path), shapes, tell=ignore).model
    path = tmp_path / "champion.safetensors"
    path.write_bytes(dump_weights(champion))
    barely = replace(PLAIN, learning_rate=1e-9)

    continued = train(trial(tmp_path, champion=path, parameters=barely), shapes, tell=ignore).model

    for name, value in champion.state_dict().items():
        if "running" not in name and "batches" not in name:
            torch.testing.assert_close(continued.state_dict()[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 8, 20), (3, 64, 64)])
def test_every_family_takes_every_input_size(family, channels, height, width):
    logits, features = build(family, channels=channels, classes=5, width=8)(torch.zeros(2, channels, height, width))

    assert logits.shape == (2, 5)
    assert features.shape[0] == 2


def test_training_prepares_inputs_exactly_as_serving_does():
    preprocessing = Preprocessing(height=4, width=5, channels=3, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)

    mine = normaliser(preprocessing)(torch.from_numpy(pixels)).numpy()

    np.testing.assert_allclose(mine, preprocess(pixels, preprocessing), atol=1e-5)


def test_only_imported_and_selected_samples_are_learned_from():
    samples = table(
        rows(4, "train"), rows(3, "train", "selected", 0.5, 2), rows(2, "train", "selected", 0.5, 5),
        rows(5, "train", "disagreement", 0.5, 5), rows(6, "train", "audit", 0.5, 5), rows(7, "validation"),
    )  # fmt: skip

    imported, earlier, new = groups_of(samples, champion_version_n=3)

    assert (imported.tolist(), earlier.tolist(), new.tolist()) == ([0, 1, 2, 3], [4, 5, 6], [7, 8])
    assert len(groups_of(samples, champion_version_n=0)[2]) == 0


def test_disagreements_do_not_judge():
    samples = table(
        rows(2, "validation"), rows(3, "validation", "disagreement", 0.5), rows(1, "validation", "audit", 0.5)
    )

    assert judged(samples).tolist() == [0, 1, 5]


def pack(tmp_path, encoded: list[bytes], labels: list[str], **more) -> PrepareTask:
    sizes = [len(data) for data in encoded]
    (tmp_path / "pack.bin").write_bytes(b"".join(encoded))
    samples = table(rows(len(encoded), "train"))
    samples.with_columns(
        pl.Series("sample_id", [f"p/sample/{sha256(data).hexdigest()}" for data in encoded]),
        pl.Series("offset", [sum(sizes[:i]) for i in range(len(sizes))]),
        pl.Series("size", sizes),
        pl.Series("label", labels),
    ).write_parquet(tmp_path / "index.parquet")
    values = {
        "pack": tmp_path / "pack.bin", "index": tmp_path / "index.parquet", "output": tmp_path / "out",
        "classes": ("a", "b"), "preprocessing": None, "size": None, "champion_version_n": 0,
    }  # fmt: skip
    return PrepareTask(**(values | more))


def flat(height: int, width: int, value: int, channels: int = 1) -> bytes:
    return encode_png(np.full((height, width, channels), value, np.uint8))


def test_preparing_derives_the_size_and_leaves_out_what_it_cannot_use(tmp_path):
    task = pack(
        tmp_path,
        [flat(20, 30, 0), flat(20, 30, 255), flat(24, 31, 51), b"rubbish", flat(20, 30, 9)],
        ["a", "b", "a", "a", "z"],
    )

    found = prepare(task)

    assert found.pixels.shape == (3, 20, 30, 1)
    assert found.labels.tolist() == [0, 1, 0]
    assert found.left_out == {"image_format_unsupported": 1, "not_in_label_set": 1}
    assert found.preprocessing.mean[0] == pytest.approx((0 + 1 + 0.2) / 3, abs=1e-3)
    assert found.preprocessing.std[0] == pytest.approx(np.std([0, 1, 0.2]), abs=1e-3)


def test_what_is_prepared_lies_on_disk_and_survives_a_sample_that_does_not_decode(tmp_path):
    broken = flat(20, 30, 9)[:40]  # its header is fine
    task = pack(tmp_path, [flat(20, 30, 0), broken, flat(20, 30, 255)], ["a", "a", "b"])

    found = prepare(task)

    assert isinstance(found.pixels, np.memmap)
    assert found.left_out == {"image_undecodable": 1}
    read = prepared_files.read(task.output)
    np.testing.assert_array_equal(read.pixels[:, 0, 0, 0], [0, 255])
    assert (read.labels.tolist(), len(read.samples)) == ([0, 1], 2)
    assert read.preprocessing == found.preprocessing


def test_preparing_caps_the_derived_size_and_takes_colour_if_any_has_it(tmp_path):
    task = pack(tmp_path, [flat(200, 300, 0), flat(200, 300, 9, channels=3)], ["a", "b"])

    assert prepare(task).pixels.shape == (2, 64, 64, 3)


def test_preparing_keeps_the_size_that_the_project_or_the_champion_has(tmp_path):
    encoded = [flat(20, 30, 0), flat(20, 30, 9)]
    kept = Preprocessing(height=9, width=8, channels=3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))

    assert prepare(pack(tmp_path, encoded, ["a", "b"], size=(12, 14, 1))).pixels.shape == (2, 12, 14, 1)
    assert prepare(pack(tmp_path, encoded, ["a", "b"], preprocessing=kept)).preprocessing == kept


def test_a_pack_whose_bytes_are_not_those_of_its_index_is_refused(tmp_path):
    task = pack(tmp_path, [flat(20, 30, 0), flat(20, 30, 9)], ["a", "b"])
    content = task.pack.read_bytes()
    task.pack.write_bytes(content[:-1] + b"x")

    with pytest.raises(ValueError, match="not those of its name"):
        prepare(task)


def test_a_pack_of_nothing_usable_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no sample of the pack can be used"):
        prepare(pack(tmp_path, [b"rubbish"], ["a"]))


def test_prepared_samples_and_tasks_survive_the_disk(shapes, tmp_path):
    prepared_files.room(tmp_path / "p", samples=len(shapes.pixels), height=SIDE, width=SIDE, channels=1)[:] = (
        shapes.pixels
    )
    prepared_files.write(tmp_path / "p", shapes)
    read = prepared_files.read(tmp_path / "p")
    np.testing.assert_array_equal(read.pixels, shapes.pixels)
    assert read.samples.equals(shapes.samples)
    assert (read.preprocessing, read.classes, read.new_labels) == (shapes.preprocessing, shapes.classes, 12)
    for task in (
        trial(tmp_path, champion=tmp_path / "c"),
        trial(tmp_path),
        PrepareTask(
            pack=tmp_path, index=tmp_path, output=tmp_path, classes=("a",), preprocessing=shapes.preprocessing,
            size=(8, 9, 3), champion_version_n=4,
        ),
        ExportTask(run_id="r", recipe=RECIPE, parameters=PLAIN, temperature=1.5, prepared=tmp_path, output=tmp_path),
    ):  # fmt: skip
        tasks.write(tmp_path / "task.json", task)
        assert tasks.read(tmp_path / "task.json") == task


def test_a_projection_keeps_at_most_64_dimensions_and_their_variance():
    features = np.random.default_rng(0).normal(size=(300, 96)).astype(np.float32) * np.linspace(
        3, 0.01, 96, dtype=np.float32
    )

    found = fit_projection(features)

    assert found.components.shape == (96, 64)
    embedded = (features - found.centre) @ found.components
    assert embedded.var(axis=0).sum() > 0.95 * features.var(axis=0).sum()
    np.testing.assert_array_equal(found.components, fit_projection(features).components)
    assert fit_projection(features[:, :8]).components.shape == (8, 8)


def test_results_by_class_by_hand():
    found = by_class(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.full(4, 0.25), ("a", "b", "c"))

    assert found["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert found["recall"] == [0.5, 1.0, None]
    assert found["precision"] == [1.0, pytest.approx(2 / 3), None]


def test_an_audit_that_was_picked_rarely_weighs_more_in_the_results_by_class():
    found = by_class(np.array([0, 0]), np.array([0, 1]), np.array([0.75, 0.25]), ("a", "b"))

    assert found["confusion"] == [[1.5, 0.5], [0, 0]]
    assert found["recall"] == [0.75, None]


def test_a_run_says_what_made_it(shapes, tmp_path, few_steps):
    task = trial(tmp_path, champion_run_id="r0", parameters=replace(PLAIN, new_share=0.25))

    found = json.loads(json.dumps(provenance(task, train(task, shapes, tell=ignore))))

    assert found["started_from"] == "r0"
    assert (found["dataset_version_id"], found["champion_version_n"], found["audits_since_n"]) == ("p/data/2", 1, 1)
    assert found["trained_on"] == {"imported": 60, "earlier": 0, "new": 12}
    assert (found["epochs"], found["steps"], found["seed"]) == (2, 12, 3)
    assert found["parameters"]["new_share"] == 0.25
    assert len(found["code_digest"]) == 64
    assert "torch" in found["environment"]


def test_the_search_space_and_the_learning_core_know_the_same_names():
    assert set(FAMILIES) == set(WIDTHS)
    assert set(RECIPES) == {RECIPE}
