"""JSON that parses, JSON that a schema allows, JSON that equals a reference."""

from __future__ import annotations

import http.server
import json
import math
import threading
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.form import schema_faults
from haetae.metrics.form.json_match import JsonMatch
from haetae.metrics.form.json_schema import JsonSchema
from haetae.metrics.form.json_text import JsonValid

ScoreOf = Callable[..., Score]
ORDER = {
    "type": "object",
    "properties": {"품목": {"type": "string", "minLength": 1}, "수량": {"type": "integer", "minimum": 1}},
    "required": ["품목", "수량"],
    "additionalProperties": False,
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3).map(lambda x: round(x))
    | st.text("ab가", max_size=2)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3)
)


@pytest.mark.parametrize("text", ["{}", " [1, 2] ", '"글"', "null", "-1.5e3", '{"a": {"b": ["\\ud55c"]}}', "true"])
def test_json_is_valid(text: str, score_of: ScoreOf) -> None:
    assert score_of(JsonValid(), text).value == 1.0


@pytest.mark.parametrize(
    "text",
    ["", "{", "{'a': 1}", '{"a": 1,}', "NaN", "[Infinity]", "답: {}", "{} {}", "01", '"\n"', "// c\n{}", "undefined"],
)
def test_what_only_looks_like_json_is_not(text: str, score_of: ScoreOf) -> None:
    found = score_of(JsonValid(), text)
    assert found.value == 0.0
    assert found.explanation


def test_a_fault_has_its_line_and_column(score_of: ScoreOf) -> None:
    assert str(score_of(JsonValid(), '{\n "a": }').explanation).startswith("line 2, column")


LONG = "123456789012345678901"


@pytest.mark.parametrize(
    ("output", "reference", "value"),
    [
        (f'{{"id": {LONG}}}', f'{{"id": {LONG}}}', 1.0),
        (f'{{"id": {LONG}}}', f'{{"id": {LONG[:-1]}2}}', 0.0),
        ("18446744073709551616", "18446744073709551617", 0.0),
        ("9007199254740993", "9007199254740992.0", 0.0),
        ("[true]", "[1]", 0.0),
        ("[1]", "[1.0]", 1.0),
        ("[false, 0]", "[false, false]", 0.0),
    ],
)
def test_values_are_equal_to_the_last_digit_and_true_is_no_number(
    output: str, reference: str, value: float, score_of: ScoreOf
) -> None:
    for measure in ("equal", "fields"):
        found = score_of(JsonMatch(measure), output, reference).value
        assert found == (0.5 if (output, measure) == ("[false, 0]", "fields") else value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1, "b": {"나": 1, "나": 2}}', "the key '나' stands twice in one object"),
        ('{"a": 1, "\\u0061": 1}', "the key 'a' stands twice in one object"),
        ("[1e400]", "the number 1e400 is beyond all floats"),
        ("-9e999", "the number -9e999 is beyond all floats"),
    ],
)
def test_what_can_be_read_in_two_ways_or_not_at_all_is_a_fault(text: str, fault: str, score_of: ScoreOf) -> None:
    assert (score_of(JsonValid(), text).value, score_of(JsonValid(), text).explanation) == (0.0, fault)
    assert score_of(JsonMatch(), text, text).reason == reasons.MISSING_REFERENCE
    assert score_of(JsonMatch(), text, "{}").explanation == f"the output is not JSON: {fault}"
    assert score_of(JsonSchema({}), text).value == 0.0


def test_a_schema_bounds_whole_numbers_of_any_length(score_of: ScoreOf) -> None:
    most = JsonSchema({"type": "integer", "maximum": int(LONG)})
    assert score_of(most, LONG).value == 1.0
    assert score_of(most, str(int(LONG) + 1)).value == 0.0


def test_a_fence_is_taken_off_where_it_may_stand(score_of: ScoreOf) -> None:
    text = '```json\n{"a": 1}\n```'
    assert score_of(JsonValid(), text).value == 0.0
    assert score_of(JsonValid(fenced=True), text).value == 1.0
    assert score_of(JsonValid(fenced=True), "Here:\n" + text).value == 0.0
    assert score_of(JsonMatch(fenced=True), text, '{"a": 1}').value == 1.0
    assert score_of(JsonSchema({"required": ["a"]}, fenced=True), text).value == 1.0


@pytest.mark.parametrize(
    "text",
    ["```" + " " * 1_000_000, "```\n" + "\n   " * 250_000, " " * 1_000_000, "```json\n{}\n```" + " " * 10**6 + "x"],
)
def test_a_megabyte_of_blanks_around_a_fence_is_read_in_one_walk(text: str, score_of: ScoreOf) -> None:
    assert score_of(JsonValid(fenced=True), text).value == 0.0  # tried in all pairs they would take hours


@pytest.mark.parametrize("depth", [10_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_ten_thousand_brackets_are_a_parse_failure_and_no_crash(
    depth: int, opening: str, closing: str, score_of: ScoreOf
) -> None:  # SEC-20
    text = opening * depth + "1" + closing * depth
    assert score_of(JsonValid(), text).value == 0.0
    assert score_of(JsonMatch(), text, "{}").value == 0.0
    assert score_of(JsonSchema({"type": "object"}), text).value == 0.0
    assert score_of(JsonMatch(), "{}", text).reason == reasons.MISSING_REFERENCE


def test_a_schema_allows_or_names_the_fault(score_of: ScoreOf) -> None:
    metric = JsonSchema(ORDER)
    assert score_of(metric, '{"품목": "사과", "수량": 2}').value == 1.0
    wrong = score_of(metric, '{"품목": "사과", "수량": 0}')
    assert (wrong.value, wrong.explanation) == (0.0, "수량: 0 is less than the minimum of 1")
    assert score_of(metric, "사과 두 개").value == 0.0
    assert metric.facts.text.startswith('json_schema({"additionalProperties":false,')
    assert metric.facts.signature["validator"].startswith("jsonschema-rs ")


def test_half_a_character_is_no_text_of_a_schema_and_equals_itself(score_of: ScoreOf) -> None:
    assert score_of(JsonSchema({"type": "string"}), '"\\ud83d"').value == 0.0
    assert score_of(JsonMatch(), '"\\ud83d"', '"\\ud83d"').value == 1.0


@pytest.mark.parametrize("text", ['{"\\ud835": 1}', '[{"a": {"\\udc00": 1}}]', '{"a": ["\\ud835"]}', '"a\ud835"'])
def test_half_a_character_is_found_where_the_schema_says_nothing_of_its_place(text: str, score_of: ScoreOf) -> None:
    score = score_of(JsonSchema({}), text)
    assert (score.value, "half of a character" in str(score.explanation)) == (0.0, True)
    assert score_of(JsonSchema({}), '{"\\ud83d\\ude00": "😀"}').value == 1.0  # two halves are one


def test_a_schema_may_be_a_file_and_its_content_is_signed(tmp_path: Path, score_of: ScoreOf) -> None:
    path = tmp_path / "order.schema.json"
    path.write_text(json.dumps(ORDER))
    metric = JsonSchema(path)
    assert metric.facts.text == "json_schema(order.schema.json)"
    assert metric.facts.signature["schema"] == JsonSchema(ORDER).facts.signature["schema"]
    assert score_of(metric, '{"품목": "사과"}').value == 0.0
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"order\.schema\.json: no JSON schema: line 1"):
        JsonSchema(path)


@pytest.mark.parametrize(
    ("schema", "place", "why"),
    [
        ({"type": "objekt"}, "type", "'objekt' is no type; there are array, boolean, integer, null, number, object"),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum", '"x" is not of type "number"'),
        ({"$ref": "file:///etc/passwd"}, "$ref", "file:///etc/passwd lies outside the schema and is not fetched"),
        ({"items": {"$ref": "other.json"}}, "items.$ref", "other.json lies outside the schema and is not fetched"),
        ({"allOf": [{"$ref": "#/$defs/none"}]}, "allOf.0.$ref", "#/$defs/none points at nothing in the schema"),
        ({"format": "emial"}, "format", "uri-template, uuid; did you mean email?"),
        ({"pattern": "(?=a)b"}, "pattern", "as in `regex` there is no look-around and no back-reference"),
        ({"patternProperties": {"(?=a)": {}}}, "patternProperties.(?=a)", "'(?=a)' is no expression that takes linear"),
        ({"$schema": "http://example.com/own"}, "$schema", "http://example.com/own is no draft of JSON Schema"),
        ({"requird": ["a"]}, "requird", "unknown keyword; did you mean required?"),
        ({"properties": {"a": {"minimun": 1}}}, "properties.a.minimun", "unknown keyword; did you mean minimum?"),
    ],
)
def test_a_wrong_schema_is_refused_before_the_run(schema: dict[str, Any], place: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        JsonSchema(schema)
    (problem,) = caught.value.problems
    assert (problem.field, why in problem.message) == (f"schema.{place}", True), problem
    file = tmp_path / "own.json"
    file.write_text(json.dumps(schema))
    with pytest.raises(ConfigError) as caught:
        JsonSchema(file)
    assert str(caught.value).startswith(f"{file}: {place}: no JSON schema that can be used: ")


@pytest.mark.parametrize("known", schema_faults.FORMATS)
def test_every_format_that_is_offered_is_checked(known: str, score_of: ScoreOf) -> None:
    wrong = {"regex": '"("', "json-pointer": '"a"', "uri-reference": '"\\\\"', "iri-reference": '"\\\\"'}
    metric = JsonSchema({"format": known})
    assert score_of(metric, wrong.get(known, '"{ /"')).value == 0.0


def test_keywords_that_no_draft_knows_are_comments(score_of: ScoreOf) -> None:
    comments = {"example": 1, "comment": "c", "x-order": 2, "defs": {"a": {"requird": []}}, "nullable": True}
    assert score_of(JsonSchema({**comments, "properties": {"requird": {"type": "string"}}}), "{}").value == 1.0


@pytest.mark.parametrize("place", ["$ref", "$schema", "$dynamicRef"])
def test_a_remote_reference_is_refused_and_nobody_is_asked(place: str) -> None:  # SEC-10
    asked: list[str] = []

    class Listening(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = http.server.HTTPServer(("127.0.0.1", 0), Listening)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with pytest.raises(ConfigError):
            JsonSchema(
                {"properties": {"a": {place: f"http://127.0.0.1:{server.server_port}/s.json"}}, **_own(place, server)}
            )
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


def _own(place: str, server: http.server.HTTPServer) -> dict[str, Any]:
    return {"$schema": f"http://127.0.0.1:{server.server_port}/s.json"} if place == "$schema" else {}


def test_a_pattern_of_a_schema_takes_linear_time(score_of: ScoreOf) -> None:
    assert score_of(JsonSchema({"pattern": "^(a+)+$"}), json.dumps("a" * 1_000_000 + "!")).value == 0.0


@settings(deadline=None, max_examples=300)
@given(VALUES, VALUES)
def test_a_schema_judges_as_the_jsonschema_package_does(value: Any, other: Any) -> None:
    schemas: list[dict[str, Any]] = [
        {"const": other},
        {"enum": [other, 1]},
        {"type": ["object", "integer"]},
        {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
        {"anyOf": [{"type": "string", "pattern": "a"}, {"type": "boolean"}]},
    ]
    for schema in schemas:
        ours = JsonSchema(schema).score(Sample("s", ""), Generation(json.dumps(value))).value
        assert ours == float(jsonschema.Draft202012Validator(schema).is_valid(value)), schema


@settings(deadline=None, max_examples=500)
@given(VALUES, VALUES)
def test_equal_is_what_json_schema_calls_const(value: Any, other: Any) -> None:
    sample = Sample("s", "", (json.dumps(other),))
    found = JsonMatch().score(sample, Generation(json.dumps(value, indent=1))).value
    assert found == float(jsonschema.Draft202012Validator({"const": other}).is_valid(value))
    share = JsonMatch("fields").score(sample, Generation(json.dumps(value))).value
    assert share is not None
    assert 0.0 <= share <= 1.0
    assert (share == 1.0) == (found == 1.0)


def test_the_share_of_fields_counts_missing_and_superfluous_ones_alike(score_of: ScoreOf) -> None:
    reference = '{"name": "Kim", "age": 30, "tags": ["a", "b"]}'
    for output, share in (
        ('{"tags": ["a", "b"], "age": 30.0, "name": "Kim"}', 1),
        ('{"name": "Kim", "age": 30, "tags": ["a"]}', 3 / 4),
        ('{"name": "Kim", "age": 30, "tags": ["a", "b"], "x": 1}', 4 / 5),
        ('{"name": "Lee", "age": "30", "tags": ["b", "a"]}', 0),
        ('{"name": "Kim", "age": true, "tags": "a"}', 1 / 5),
    ):
        assert score_of(JsonMatch("fields"), output, reference).value == pytest.approx(share)


def test_a_twin_in_another_unicode_form_is_equal_and_the_best_reference_counts(score_of: ScoreOf) -> None:
    reference = '{"도시": "서울"}'
    assert score_of(JsonMatch(), unicodedata.normalize("NFD", reference), "[]", reference).value == 1.0
    assert score_of(JsonMatch(), '{"\\ub3c4\\uc2dc": "서울"}', reference).value == 1.0


@pytest.mark.parametrize("measure", ["equal", "fields"])
def test_a_long_list_in_deep_nesting_takes_memory_for_its_values_not_for_their_paths(
    measure: str, score_of: ScoreOf
) -> None:
    text = "[" * 900 + ",".join(["1"] * 50_000) + "]" * 900
    tracemalloc.start()
    try:
        value = score_of(JsonMatch(measure), text, text[:900] + text[902:]).value
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert value == (0.0 if measure == "equal" else 49_999 / 50_000)
    assert peak < 50_000_000  # 50,000 paths of 900 steps would take 360 MB


def test_a_reference_that_is_no_json_scores_nothing(score_of: ScoreOf) -> None:
    assert score_of(JsonMatch(), "{}", "yes").reason == reasons.MISSING_REFERENCE
    assert score_of(JsonMatch(), "yes", "{}").value == 0.0
    assert score_of(JsonMatch(), "1e999", "1e999").reason == reasons.MISSING_REFERENCE
    assert math.isfinite(score_of(JsonMatch("fields"), "[1e999]", "[1]").value or 0)
