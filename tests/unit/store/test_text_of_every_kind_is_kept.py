from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.canonical import dumps
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.sample import Message, Sample, ToolCall
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.store.bulk import ManyValues, refuse_unkeepable
from haetae.store.columns import JsonText, SafeText, escape, unescape
from haetae.store.rows import (
    GENERATION_COLUMNS,
    SAMPLE_COLUMNS,
    SCORE_COLUMNS,
    generation_values,
    read_generation,
    read_sample,
    read_score,
    sample_values,
    score_values,
)
from haetae.store.tables import GENERATION, SAMPLE, SCORE

AT = datetime(2026, 3, 1, tzinfo=UTC)
TIME = "2026-03-01 00:00:00.000000"
"""The same as SQLite's driver takes it."""
texts = st.text(st.characters(), max_size=20)  # every code point, lone surrogates and NUL included
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**31)
values = st.recursive(
    st.none() | st.booleans() | counts | numbers | texts, lambda v: st.lists(v, max_size=3), max_leaves=5
)
usages = st.builds(Usage, counts, counts, counts, counts)
few_texts = st.lists(texts, max_size=3).map(tuple)
calls = st.lists(st.builds(ToolCall, texts, st.dictionaries(texts, values, max_size=2)), max_size=2).map(tuple)
messages = st.lists(st.builds(Message, st.sampled_from(["system", "user"]), texts), min_size=1, max_size=3).map(tuple)

samples = st.builds(
    Sample,
    id=texts,
    input=texts | messages,
    references=few_texts,
    contexts=st.none() | few_texts,
    reference_contexts=st.none() | few_texts,
    tool_calls=st.none() | calls,
    metadata=st.dictionaries(texts, values, max_size=3),
)
generations = st.builds(
    Generation,
    output=texts,
    contexts=st.none() | few_texts,
    tool_calls=st.none() | calls,
    usage=st.none() | usages,
    cost_usd=st.none() | numbers,
    latency_s=st.none() | numbers,
    model=st.none() | texts,
    finish_reason=st.none() | texts,
    logprobs=st.none() | st.lists(numbers, max_size=3).map(tuple),
    attempts=st.integers(1, 9),
    recorded_scores=st.dictionaries(texts, numbers, max_size=2),
)
failures = st.builds(Failure, st.sampled_from(sorted(reasons.RETRIED)), texts, st.integers(1, 9))
extras: dict[str, Any] = {
    "stats": st.lists(numbers, max_size=4).map(tuple),
    "explanation": st.none() | texts,
    "usage": st.none() | usages,
    "cost_usd": st.none() | numbers,
    "model": st.none() | texts,
}
scores = st.builds(Score, value=numbers, **extras) | st.builds(
    Score, value=st.none(), reason=st.just(reasons.NOT_FINITE), **extras
)


def _through_the_database(table: sa.Table, columns: Sequence[str], row: Sequence[Any]) -> Any:
    """What SQLite gives back for a row as drivers take it, by the column types of the table."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata = sa.MetaData()
        bare = sa.Table("t", metadata, *(sa.Column(name, table.c[name].type) for name in columns))
        metadata.create_all(connection)
        ManyValues(bare.insert(), columns, engine.dialect)(connection, [row])
        back = connection.execute(bare.select()).mappings().one()
    engine.dispose()
    return back


@given(texts)
def test_escaped_text_is_plain_and_reads_back(text: str) -> None:
    escaped = escape(text)
    escaped.encode()  # raises for a surrogate
    assert "\0" not in escaped
    assert unescape(escaped) == text


@given(texts, texts)
def test_a_part_of_a_text_is_a_part_of_the_escaped_text(text: str, part: str) -> None:
    assert escape(part) in escape(f"{text}{part}{text}")


@given(values)
def test_json_reads_back_and_is_plain_text(value: Any) -> None:
    dialect = sa.create_engine("sqlite://").dialect
    text = JsonText().process_bind_param(value, dialect)
    assert text is None or "\0" not in text
    assert dumps(JsonText().process_result_value(text, dialect)) == dumps(value)


def test_ordinary_korean_stays_readable_in_the_database() -> None:
    dialect = sa.create_engine("sqlite://").dialect
    assert SafeText().process_bind_param("배송 안내", dialect) == "배송 안내"
    assert JsonText().process_bind_param({"질문": "배송"}, dialect) == '{"질문":"배송"}'


@settings(deadline=None)
@given(samples)
def test_a_sample_survives_the_database(sample: Sample) -> None:
    row = _through_the_database(SAMPLE, SAMPLE_COLUMNS, sample_values(sample))
    assert read_sample(row["payload"], row["facets"]).as_json() == sample.as_json()
    assert row["digest"] == sample.digest


@settings(deadline=None)
@given(texts, generations | failures, st.booleans())
def test_a_generation_row_survives_the_database(name: str, result: Generation | Failure, reused: bool) -> None:
    row = GenerationRow(name, 3, "key", "digest", result, reused)
    back = _through_the_database(GENERATION, GENERATION_COLUMNS, generation_values("support.1", row, TIME))
    assert read_generation(back) == row
    assert back["created_at"] == AT


@settings(deadline=None)
@given(texts, scores, st.booleans())
def test_a_score_row_survives_the_database(name: str, score: Score, reused: bool) -> None:
    row = ScoreRow(name, 0, "exact", "key", score, reused)
    assert read_score(_through_the_database(SCORE, SCORE_COLUMNS, score_values("support.1", row, TIME))) == row


def test_numbers_of_numpy_are_stored_as_numbers() -> None:
    row = ScoreRow("a", 0, "exact", "key", Score(np.float32(0.5), stats=(np.float64(1), np.int64(2))))  # type: ignore[arg-type]  # what a metric may return
    stored = dict(zip(SCORE_COLUMNS, score_values("support.1", row, TIME), strict=True))
    assert type(stored["value"]) is float
    assert stored["stats"] == "[1.0,2.0]"


@pytest.mark.parametrize("value", [2**63, "\0", "a \ud835", b"bytes", object()])
def test_a_value_that_no_driver_binds_is_named_with_its_column_and_sample(value: Any) -> None:  # STO-23
    row = score_values("support.1", ScoreRow("a", 0, "exact", "key", Score(1.0)), TIME)
    bad = [*row[:4], value, *row[5:]]
    with pytest.raises(StoreError, match=r"sample 'a': score\.key cannot keep "):
        refuse_unkeepable(SCORE, SCORE_COLUMNS, [row, bad], OverflowError("too large"))
    refuse_unkeepable(SCORE, SCORE_COLUMNS, [row], OverflowError("too large"))  # not for a row like any other
