"""`validation.parquet` of a model version: what it said about each validation sample."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from relearn_registry.domain.step_one import POPULATIONS, ValidationPredictions
from relearn_runtime.errors import InvalidInput

COLUMNS: dict[Any, Any] = {
    "sample_id": pl.String,
    "stream": pl.String,
    "probability": pl.Float64,
    "label": pl.String,
    "predicted": pl.String,
    "confidence": pl.Float64,
}


class ValidationUnreadable(InvalidInput):
    """The file is no Parquet, or not what the contract says."""

    reason = "VALIDATION_UNREADABLE"


def validation_predictions(content: bytes) -> ValidationPredictions:
    """The rows of a validation file; streams other than imported and audit are no validation and left out.

    Raises:
        ValidationUnreadable: with what is wrong.
    """
    try:
        table = pl.read_parquet(io.BytesIO(content), columns=list(COLUMNS)).cast(COLUMNS)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:  # a panic: damaged pages
        raise ValidationUnreadable(f"validation.parquet can't be read: {error}") from error
    table = table.filter(pl.col("stream").is_in(POPULATIONS))
    _refuse_nonsense(table)
    texts = {
        name: np.array(table[name].to_list(), dtype=np.str_) for name, kind in COLUMNS.items() if kind is pl.String
    }
    probability = table["probability"].fill_null(float("nan")).to_numpy().astype(np.float64)
    imported = texts["stream"] == POPULATIONS[0]
    return ValidationPredictions(
        sample_ids=texts["sample_id"],
        streams=texts["stream"],
        probability=np.where(imported, np.nan, probability),
        labels=texts["label"],
        predicted=texts["predicted"],
        confidence=table["confidence"].to_numpy().astype(np.float64),
    )


def _refuse_nonsense(table: pl.DataFrame) -> None:
    needed = [name for name in COLUMNS if name != "probability"]
    empty = [name for name in needed if table[name].null_count()]
    audits = table.filter(pl.col("stream") == "audit")["probability"]
    wrong = {
        f"no value in {', '.join(empty)}": bool(empty),
        "a sample twice": bool(table["sample_id"].is_duplicated().any()),
        "an audit without a probability over 0 and at most 1": not audits.is_between(0, 1, closed="right").all()
        or audits.null_count() > 0,
        "a confidence outside of 0 to 1": not table["confidence"].is_between(0, 1.0001).all(),
    }
    if found := [problem for problem, there in wrong.items() if there]:
        raise ValidationUnreadable(f"validation.parquet has {'; '.join(found)}")
