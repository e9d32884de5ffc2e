"""What can be wrong with a configuration file, and that it is said at its place before anything runs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from haetae.catalog.metric_factory import build_metric
from haetae.catalog.model_file import load_model
from haetae.catalog.prompt_file import load_prompt
from haetae.catalog.suite_file import load_suite
from haetae.errors import ConfigError

Write = Callable[[str, str | bytes], Path]

SUITE = """\
suite: bot
dataset: support.jsonl
target:
  model: llm@production
metrics:
  chrf: chrf
gate:
  alpha: 0.05
  metrics:
    chrf: { max_drop: 0.03 }
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").touch()

    def _write(name: str, content: str | bytes) -> Path:
        path = root / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def _refused(path: Path, env: dict[str, str] | None = None) -> list[str]:
    """What is said; every such error exits with 2."""
    with pytest.raises(ConfigError) as caught:
        load_suite(path, env or {})
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def test_a_tab_as_indent_names_line_and_column(write: Write) -> None:  # CFG-01
    text = SUITE + "limit: 5\ncluster: doc\nbudget:\n  \tusd: 3\n"
    (said,) = _refused(write("eval.yaml", text))
    assert said.startswith("eval.yaml:14:3: YAML syntax: ")


@pytest.mark.parametrize("tail", ["a: [1", "a: 'x", "a: b: c", "- x", "%YAML", "a: @x", "a: *"])
def test_a_syntax_error_has_a_place(write: Write, tail: str) -> None:  # CFG-01
    (said,) = _refused(write("eval.yaml", SUITE + tail + "\n"))
    place = said.split(": ")[0].split(":")
    assert place[0] == "eval.yaml"
    assert int(place[1]) >= 11
    assert int(place[2]) >= 1


def test_a_key_set_twice_names_both_lines(write: Write) -> None:  # CFG-02
    (said,) = _refused(write("eval.yaml", SUITE.replace("  alpha: 0.05", "  alpha: 0.05\n  alpha: 0.1")))
    assert said == "eval.yaml:9:3: gate.alpha: key 'alpha' is set twice, on lines 8 and 9"


def test_a_misspelt_key_names_the_nearest(write: Write) -> None:  # CFG-03
    (said,) = _refused(write("eval.yaml", SUITE.replace("max_drop", "max_dorp")))
    assert said == "eval.yaml:10:13: gate.metrics.chrf.max_dorp: unknown key; did you mean max_drop?"


@pytest.mark.parametrize(
    ("value", "got"), [('"ten"', "text 'ten'"), ("3.7", "the number 3.7"), ("true", "true"), ("[1]", "a list")]
)
def test_a_wrong_type_is_not_coerced(write: Write, value: str, got: str) -> None:  # CFG-04
    (said,) = _refused(write("eval.yaml", f"{SUITE}limit: {value}\n"))
    assert said == f"eval.yaml:11:8: limit: expected a whole number, got {got}"


@pytest.mark.parametrize("value", ["no", "12:30:00", "0123", "2026-01-01", "0x10", "1_000", "yes"])
def test_what_yaml_1_1_would_turn_into_something_else_stays_text(write: Write, value: str) -> None:  # CFG-05
    assert load_suite(write("eval.yaml", f"{SUITE}cluster: {value}\n"), {}).suite.cluster == value


@pytest.mark.parametrize("value", ["1.10", "7", "true", "1e3"])
def test_a_number_or_truth_for_a_text_names_the_line_and_the_cure(write: Write, value: str) -> None:  # CFG-05
    (said,) = _refused(write("eval.yaml", f"{SUITE}cluster: {value}\n"))
    assert said.startswith("eval.yaml:11:10: cluster: expected text, got ")
    assert value in said
    assert said.endswith("; write it in quotes")
    assert load_suite(write("eval.yaml", f"{SUITE}cluster: '{value}'\n"), {}).suite.cluster == value


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1.5", "-0.1", "1e999"])
def test_a_number_out_of_range_says_the_range(write: Write, value: str) -> None:  # CFG-06
    (said,) = _refused(write("eval.yaml", SUITE.replace("alpha: 0.05", f"coverage: {value}")))
    assert said == f"eval.yaml:8:13: gate.coverage: expected a number from 0 to 1, got {value}"


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!python/module:os"])
def test_a_python_tag_is_refused_and_runs_nothing(write: Write, tmp_path: Path, tag: str) -> None:  # CFG-07
    canary = tmp_path / "canary"
    (said,) = _refused(write("eval.yaml", f"{SUITE}cluster: {tag} 'touch {canary}'\n"))
    assert said == f"eval.yaml:11:10: cluster: tag not allowed: {tag.replace('!!', 'tag:yaml.org,2002:')}"
    assert not canary.exists()


def test_an_alias_bomb_is_refused_before_it_grows(write: Write) -> None:  # CFG-08
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8))
    path = write("eval.yaml", bomb)
    tracemalloc.start()
    try:
        (said,) = _refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "too many nodes/aliases" in said
    assert peak < 50_000_000


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "- a\n- b\n", "just text\n", "null\n"])
def test_a_file_without_a_mapping_is_refused(write: Write, text: str) -> None:  # CFG-09
    (said,) = _refused(write("eval.yaml", text))
    assert said.startswith("eval.yaml:1:1: expected a mapping at the top level, got ")


def test_a_byte_order_mark_is_accepted(write: Write) -> None:  # CFG-10
    loaded = load_suite(write("eval.yaml", SUITE.encode("utf-8-sig")), {})
    assert loaded.suite.digest == load_suite(write("plain.yaml", SUITE), {}).suite.digest


@pytest.mark.parametrize(("encoding", "byte"), [("utf-16", 0), ("utf-16-be", None), ("cp949", 7)])
def test_another_encoding_names_the_first_wrong_byte(write: Write, encoding: str, byte: int | None) -> None:  # CFG-10
    text = SUITE.replace("bot", "봇")
    (said,) = _refused(write("eval.yaml", text.encode(encoding)))
    if byte is not None:
        assert said == f"eval.yaml:1: not UTF-8 at byte {byte}; save as UTF-8"


def test_every_missing_variable_is_named_with_its_field_and_no_value(write: Write) -> None:  # CFG-11
    text = SUITE.replace("llm@production", "${MODEL}") + "judge: ${JUDGE}-${SET}\ncluster: x${CLUSTER}\n"
    said = _refused(write("eval.yaml", text), {"SET": "hunter2"})
    assert said == [
        "eval.yaml:4:10: target.model: the environment variable MODEL is not set",
        "eval.yaml:11:8: judge: the environment variable JUDGE is not set",
        "eval.yaml:12:10: cluster: the environment variable CLUSTER is not set",
    ]


def test_twenty_mistakes_are_reported_in_one_go_sorted_by_line(write: Write) -> None:  # CFG-12
    text = """\
suite: 5
dataset: [x]
target: {model: 3, repeats: 0, promt: x}
metrics: {chrf: 3, rouge: [L]}
slices: language
gate:
  alpha: 0.9
  coverage: 2
  baseline: 7
  max_drop: .nan
  metrics: {chrf: {max_drop: -1, min: low, buy: x}}
schedule: {timezone: UTC}
track: [mlfow]
budget: {usd: 0, calls: 1.5}
limits: {tries: 99}
cluster: true
extra: 1
"""
    said = _refused(write("eval.yaml", text))
    assert len(said) >= 20
    lines = [int(problem.split(":")[1]) for problem in said]
    assert lines == sorted(lines)
    assert set(lines) == {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("none.jsonl", "does not exist"),
        ("../../etc/passwd", "outside the project"),
        ("/etc/passwd", "outside the project"),
        (".", "is a directory"),
        ("link.jsonl", "outside the project"),
        ("a\x00b.jsonl", "not a path"),
        ("a\nb.jsonl", "not a path"),
        ("\\\\server\\share\\x.jsonl", "does not exist"),
    ],
)
def test_a_path_that_leads_astray_is_refused_at_its_field(
    write: Write, tmp_path: Path, given: str, why: str
) -> None:  # CFG-13, SEC-05
    path = write("eval.yaml", SUITE)
    (tmp_path / "outside.jsonl").write_text("{}")
    (path.parent / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    loaded = load_suite(path, {})
    with pytest.raises(ConfigError) as caught:
        loaded.locate("dataset", given)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column, problem.field) == ("eval.yaml", 2, 10, "dataset")
    assert why in problem.message


def test_a_refused_path_shows_where_it_leads(write: Write, tmp_path: Path) -> None:  # CFG-13
    loaded = load_suite(write("eval.yaml", SUITE), {})
    with pytest.raises(ConfigError) as caught:
        loaded.locate("dataset", "../x.jsonl")
    assert f"../x.jsonl leads to {(tmp_path / 'x.jsonl').resolve()}" in str(caught.value)


def test_a_file_over_a_megabyte_or_64_levels_is_refused(write: Write) -> None:  # CFG-14
    assert _refused(write("big.yaml", SUITE + "#" * 10_000_000)) == ["big.yaml: the file is over 1 MB"]
    (said,) = _refused(write("deep.yaml", SUITE + "cluster: " + "[" * 10_000))
    assert "deep.yaml:11:" in said
    assert "nested over 64 levels" in said
    (said,) = _refused(write("block.yaml", "".join(f"{' ' * n}a:\n" for n in range(1_000))))
    assert "nested over 64 levels" in said


@pytest.mark.parametrize(
    "line",
    ["judge: sk-proj-abcdefghijklmnopqrstuv", "api_key: hunter22", "metrics: {a: {judge: p.md, api_key: hunter22}}"],
)
def test_a_literal_key_is_refused_with_its_line_and_not_repeated(write: Write, line: str) -> None:  # CFG-15
    base = SUITE if not line.startswith("metrics") else SUITE.replace("metrics:\n  chrf: chrf\n", "", 1)
    said = "\n".join(_refused(write("eval.yaml", base + line + "\n")))
    assert f"eval.yaml:{base.count(chr(10)) + 1}:" in said
    assert "a literal secret is refused; write ${NAME}" in said
    assert "hunter22" not in said
    assert "abcdefgh" not in said


def test_the_snapshot_of_a_file_holds_no_secret(write: Write) -> None:  # CFG-15
    text = SUITE + "# OPENAI_API_KEY=sk-abcdefghijklmnop for tests\ncluster: ${WHO}\n# hunter22\n"
    loaded = load_suite(write("eval.yaml", text), {"WHO": "hunter22"})
    assert "***" in loaded.text
    assert "sk-abc" not in loaded.text
    assert "hunter22" not in loaded.text


class _NoModels:
    def model(self, text: str) -> None:
        raise ConfigError(f"no model is called {text}; there are judge@1")

    prompt = file = outputs = code = function = model

    def default(self, role: str) -> str | None:
        return None


@pytest.mark.parametrize(
    "spec", ["chrff", "lambda sample: 1", "os.system", "haetae.metrics.reference.short_answers:ExactMatch"]
)
def test_an_unknown_metric_and_code_are_refused_with_the_line(write: Write, spec: str) -> None:  # CFG-17, SEC-21
    loaded = load_suite(write("eval.yaml", SUITE.replace("chrf: chrf", f'chrf: "{spec}"')), {})
    with pytest.raises(ConfigError) as caught:
        build_metric("chrf", loaded.suite.metrics["chrf"], _NoModels(), loaded.problem)  # type: ignore[arg-type]  # has no models
    assert str(caught.value).startswith(f"eval.yaml:6:9: metrics.chrf: unknown metric '{spec}'")
    assert "there are " in str(caught.value)


@pytest.mark.parametrize("key", ["include", "extends"])
def test_files_do_not_include_one_another(write: Write, key: str) -> None:  # CFG-18
    (said,) = _refused(write("eval.yaml", f"{SUITE}{key}: eval.yaml\n"))
    assert said.startswith(f"eval.yaml:11:1: {key}: unknown key")


def test_line_ends_and_file_names_do_not_change_the_specification(write: Write) -> None:  # CFG-19
    text = SUITE.replace("support.jsonl", "자료\\지원.jsonl")
    plain = load_suite(write("plain.yaml", text), {}).suite
    crlf = load_suite(write("평가 세트.yaml", text.replace("\n", "\r\n")), {}).suite
    assert plain.dataset == "자료\\지원.jsonl"
    assert plain.digest == crlf.digest


def test_a_model_or_prompt_file_that_holds_objects_is_refused(write: Write, tmp_path: Path) -> None:  # REG-10
    canary = tmp_path / "canary"
    tag = f"!!python/object/apply:os.system ['touch {canary}']"
    for load, name, content in [
        (load_model, "m.yaml", f"base_url: http://x\nmodel: {tag}\n"),
        (load_model, "m.yaml", b"\x80\x04\x95\x00"),
        (load_prompt, "p.yaml", f"messages: {tag}\n"),
        (load_prompt, "p.pkl", b"\x80\x04\x95\x00"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(write(name, content))
        assert any(why in str(caught.value) for why in ("tag not allowed", "not UTF-8", "a prompt is one of"))
    assert not canary.exists()


def test_an_endpoint_with_a_password_is_refused_with_advice_and_not_repeated(write: Write) -> None:  # REG-11
    path = write("m.yaml", "model: m\nbase_url: https://me:hunter22@llm.example/v1\n")
    with pytest.raises(ConfigError) as caught:
        load_model(path)
    assert "m.yaml:2:11: base_url: " in str(caught.value)
    assert "${NAME}" in str(caught.value)
    assert "hunter22" not in str(caught.value)
