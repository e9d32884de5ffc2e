from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from haetae.catalog.yaml_file import plain, read_yaml
from haetae.errors import ConfigError

Write = Callable[[str, str | bytes], Path]


def _read(write: Write, text: str | bytes) -> dict[str, object]:
    document = read_yaml(write("f.yaml", text), "f.yaml")
    assert not document.problems
    return document.value


def _refusal(write: Write, text: str | bytes) -> str:
    path = write("f.yaml", text)
    try:
        problems = read_yaml(path, "f.yaml").problems
    except ConfigError as exc:
        problems = list(exc.problems)
    assert problems
    return "\n".join(map(str, problems))


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "y", "True", "NULL", "0123", "0x1f", "1_000", "12:30:00"])
def test_what_other_versions_of_yaml_guess_stays_text(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T10:00:00Z", "1e", ".", "-", "+.e3", "=", "<<", "9" * 40])
def test_what_only_looks_like_a_number_or_a_date_stays_text(text: str) -> None:
    assert plain(text) == text


def test_numbers_truths_and_nothing_are_themselves() -> None:
    assert [plain(t) for t in ("0", "-7", "+3", "true", "false", "null", "~", "")] == [
        0, -7, 3, True, False, None, None, None,
    ]  # fmt: skip
    assert [plain(t) for t in ("1.5", "-.5", "2.", "1e3", "1.10")] == [1.5, -0.5, 2.0, 1000.0, 1.1]
    assert math.isnan(plain(".nan"))
    assert plain("-.inf") == -math.inf


def test_quoted_scalars_are_text_whatever_they_look_like(write: Write) -> None:
    assert _read(write, "a: '1'\nb: \"true\"\nc: |\n  5\nd: !!str 7\n") == {
        "a": "1", "b": "true", "c": "5\n", "d": "7",
    }  # fmt: skip


def test_tags_of_the_core_mean_what_they_say(write: Write) -> None:
    assert _read(write, "a: !!float 1\nb: !!int 2\nc: !!map {}\nd: !!seq []\ne: !!null\n") == {
        "a": 1.0, "b": 2, "c": {}, "d": [], "e": None,
    }  # fmt: skip
    assert "the text 'x' is not a int" in _refusal(write, "a: !!int x\n")


@pytest.mark.parametrize("tag", ["!!python/name:os.system", "!!timestamp", "!!binary", "!!set", "!mine", "!!omap"])
def test_every_other_tag_is_refused_at_its_place(write: Write, tag: str) -> None:
    assert _refusal(write, f"x: 1\na: {tag} ''\n").startswith("f.yaml:2:4: a: tag not allowed: ")


def test_keys_are_text_as_written(write: Write) -> None:
    assert _read(write, "1.10: a\nno: b\ntrue: c\n") == {"1.10": "a", "no": "b", "true": "c"}


def test_aliases_repeat_a_value(write: Write) -> None:
    assert _read(write, "a: &x [1, {b: 2}]\nc: *x\n") == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}


def test_an_alias_of_itself_and_one_of_nothing_are_refused(write: Write) -> None:
    assert "alias *x has no anchor before it" in _refusal(write, "a: &x [*x]\n")
    assert "alias *y has no anchor before it" in _refusal(write, "a: *y\n")


def test_merge_keys_second_documents_and_composed_keys_are_refused(write: Write) -> None:
    assert "merge keys are not supported" in _refusal(write, "a: &x {b: 1}\nc:\n  <<: *x\n")
    assert "f.yaml:2:1: a second document starts here" in _refusal(write, "a: 1\n---\nb: 2\n")
    assert "a key must be a text" in _refusal(write, "? [a, b]\n: 1\n")


def test_places_count_from_one_and_find_the_nearest_parent(write: Write) -> None:
    places = read_yaml(write("f.yaml", "a:\n  b: [x, yy]\n"), "f.yaml").places
    assert str(places.problem("a.b.1", "m")) == "f.yaml:2:10: a.b.1: m"
    assert str(places.problem("a.b", "m", at_key=True)) == "f.yaml:2:3: a.b: m"
    assert str(places.problem("a.b.1.deeper", "m")) == "f.yaml:2:10: a.b.1.deeper: m"
    assert str(places.problem("", "m")) == "f.yaml:1:1: m"


def test_a_backslash_between_double_quotes_is_told_to_use_single_ones(write: Write) -> None:
    said = _refusal(write, 'm: { regex: "\\d{4}" }\n')
    assert said.startswith("f.yaml:1:14: YAML syntax: found unknown escape character")
    assert said.endswith("; between double quotes a backslash begins an escape: write single quotes")
    assert _read(write, "m: { regex: '\\d{4}' }\n") == {"m": {"regex": "\\d{4}"}}


def test_control_characters_are_refused_with_their_line(write: Write) -> None:
    assert _refusal(write, "a: 1\nb: \x01\n").startswith("f.yaml:2: YAML syntax: ")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_is_limited_before_it_can_exhaust_the_stack(write: Write, opening: str) -> None:
    assert "nested over 64 levels" in _refusal(write, "a:\n " + opening * 10_000)


_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False),
    # PyYAML leaves `1e3` bare, which YAML 1.2 (and Haetae) reads as a number
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).filter(lambda t: type(plain(t)) is not float),
)  # fmt: skip
_keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4))


@given(value=st.dictionaries(_keys, _values, max_size=4))
def test_whatever_pyyaml_writes_is_read_back(
    value: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "f.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    assert read_yaml(path, "f.yaml").value == value


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_a_config_error(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("yaml") / "f.yaml"
    path.write_bytes(raw)
    try:
        problems = read_yaml(path, "f.yaml").problems
    except ConfigError as exc:
        problems = list(exc.problems)
        assert problems
    assert all(problem.file == "f.yaml" for problem in problems)
