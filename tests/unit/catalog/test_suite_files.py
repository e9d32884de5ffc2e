from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from haetae.catalog.files import project_root, shown
from haetae.catalog.suite_file import load_suite
from haetae.catalog.suite_schema import suite_schema
from haetae.errors import ConfigError

Write = Callable[[str, str | bytes], Path]


def _refusal(path: Path, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_suite(path, env or {})
    return [str(problem) for problem in caught.value.problems]


def test_a_right_file_becomes_a_suite(write: Write, suite_text: str) -> None:
    loaded = load_suite(write("support.yaml", suite_text), {})
    assert loaded.suite.suite == "support-bot"
    assert loaded.suite.metrics == {"chrf": "chrf", "rouge": {"rouge": "L", "tokenizer": "korean"}}
    assert loaded.suite.gate is not None
    assert loaded.suite.gate.metrics["rouge"].max_drop == 0.03
    assert loaded.text == suite_text
    assert loaded.secrets == ()


def test_later_problems_are_placed_by_field(write: Write, suite_text: str) -> None:
    loaded = load_suite(write("suites/support.yaml", suite_text), {})
    assert str(loaded.problem("metrics.rouge.tokenizer", "m")) == (
        "suites/support.yaml:8:33: metrics.rouge.tokenizer: m"
    )


def test_files_are_located_from_the_suites_folder_and_inside_the_project(write: Write, suite_text: str) -> None:
    data = write("data/a.jsonl", "{}")
    loaded = load_suite(write("suites/support.yaml", suite_text), {})
    assert loaded.locate("dataset", "../data/a.jsonl") == data.resolve()
    with pytest.raises(ConfigError, match=r"suites/support\.yaml:2:10: dataset: .*outside the project"):
        loaded.locate("dataset", "../../a.jsonl")


def test_variables_are_filled_in_as_text_and_kept_out_of_the_snapshot(write: Write, suite_text: str) -> None:
    text = suite_text.replace("support-llm@production", "${MODEL}@production") + "cluster: $${MODEL}\n# gpt-secret\n"
    loaded = load_suite(write("s.yaml", text), {"MODEL": "gpt-secret", "OTHER": "x"})
    assert loaded.suite.target.model == "gpt-secret@production"
    assert loaded.suite.cluster == "${MODEL}"
    assert loaded.secrets == ("gpt-secret",)
    assert "gpt-secret" not in loaded.text
    assert "gpt-secret" not in str(loaded.problem("target.model", "no model gpt-secret"))


def test_a_filled_variable_is_not_read_again(write: Write, suite_text: str) -> None:
    text = suite_text.replace("support-llm@production", "${A}")
    assert load_suite(write("s.yaml", text), {"A": "${B}"}).suite.target.model == "${B}"


def test_a_filled_value_of_the_wrong_type_is_not_repeated(write: Write, suite_text: str) -> None:
    (problem,) = _refusal(write("s.yaml", suite_text + "limit: ${N}\n"), {"N": "hunter22"})
    assert problem == "s.yaml:14:8: limit: expected a whole number, got text '${N}'"


def test_rules_between_fields_are_reported_beside_other_mistakes(write: Write, suite_text: str) -> None:
    text = suite_text.replace("rouge: { max_drop", "bleu: { max_drop") + "limit: ten\n"
    assert _refusal(write("s.yaml", text)) == [
        "s.yaml:13:11: gate.metrics.bleu: no metric of that name; the suite has chrf, rouge",
        "s.yaml:14:8: limit: expected a whole number, got text 'ten'",
    ]


def test_an_invented_stand_in_causes_no_further_problem(write: Write, suite_text: str) -> None:
    text = suite_text.replace("model: support-llm@production\n  prompt: support-answer@candidate", "function: 5")
    assert _refusal(write("s.yaml", text)) == [
        "s.yaml:4:13: target.function: expected text, got the number 5; write it in quotes"
    ]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("{ run_deadline_s: 2h }", "run_deadline_s: expected seconds: 7200 for 2 hours, got text '2h'"),
        ("{ timeout_s: 1.5 min }", "timeout_s: expected seconds: 90 for 1.5 minutes, got text '1.5 min'"),
        ("{ timeout_s: soon }", "timeout_s: expected a number, got text 'soon'"),
        ("{ concurrency: 4 }", "concurrency: unknown key; did you mean in_flight?"),
        ("{ in_fligth: 4 }", "in_fligth: unknown key; did you mean in_flight?"),
        ("{ rpm: 60 }", "rpm: unknown key; requests_per_minute belongs in the model's file: it holds for all suites"),
        ("{ tokens_per_minute: 60 }", "tokens_per_minute: unknown key; tokens_per_minute belongs in the model's file"),
        ("{ hedge_after_s: 60 }", "hedge_after_s: 60 would never happen, by then an attempt is over: timeout_s is 60"),
        (
            "{ timeout_s: 90, call_deadline_s: 30 }",
            "call_deadline_s: 30 is below timeout_s, which is 90 and would never be reached",
        ),
    ],
)
def test_a_limit_that_cannot_hold_is_refused_with_what_to_write(
    write: Write, suite_text: str, limits: str, said: str
) -> None:
    (problem,) = _refusal(write("s.yaml", f"{suite_text}limits: {limits}\n"))
    assert f": limits.{said}" in problem


def test_a_call_may_end_before_the_timeout_that_nobody_wrote(write: Write, suite_text: str) -> None:
    assert load_suite(write("s.yaml", f"{suite_text}limits: {{ call_deadline_s: 30 }}\n"), {}).suite.limits.tries == 5


def test_a_target_of_two_kinds_is_said_at_the_target(write: Write, suite_text: str) -> None:
    (problem,) = _refusal(
        write("s.yaml", suite_text.replace("  prompt: support-answer@candidate", "  outputs: o.jsonl"))
    )
    said = "name exactly one of model, function, outputs or guard; found model and outputs"
    assert problem == f"s.yaml:4:3: target: {said}"


def test_a_number_in_a_text_field_shows_how_it_was_spelled(write: Write, suite_text: str) -> None:
    (problem,) = _refusal(write("s.yaml", suite_text.replace("support-bot", "1.10")))
    assert problem == "s.yaml:1:8: suite: expected text, got the number 1.10; write it in quotes"


def test_a_metric_called_token_is_no_secret(write: Write, suite_text: str) -> None:
    assert "token" in load_suite(write("s.yaml", suite_text.replace("  chrf: chrf", "  token: chrf")), {}).suite.metrics


def test_the_schema_is_json_and_knows_every_field_and_range() -> None:
    schema = json.loads(json.dumps(suite_schema()))
    assert {"suite", "dataset", "target", "metrics", "gate", "budget"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["suite", "dataset", "target", "metrics"]
    assert schema["$defs"]["GateSpec"]["properties"]["coverage"]["maximum"] == 1


def test_a_suite_that_is_not_there_is_named(project: Path) -> None:
    assert _refusal(project / "none.yaml")[0].startswith("none.yaml: cannot be read: ")
    assert _refusal(project)[0].endswith("is not a regular file")


def test_an_empty_metrics_or_gate_section_is_said(write: Write, suite_text: str) -> None:
    text = suite_text.partition("metrics:")[0] + "metrics: {}\nschedule: {}\n"
    assert _refusal(write("s.yaml", text)) == [
        "s.yaml:6:10: metrics: may not be empty",
        "s.yaml:7:11: schedule.cron: missing",
    ]


def test_a_project_is_marked_by_its_files_before_a_folder_of_runs(tmp_path: Path) -> None:
    suites = tmp_path / "suites" / "shop"
    (suites / ".haetae").mkdir(parents=True)
    assert project_root(suites) == suites
    (tmp_path / ".git").touch()
    assert project_root(suites) == tmp_path
    (tmp_path / "suites" / "pyproject.toml").touch()
    assert project_root(suites) == tmp_path / "suites"


def test_a_file_is_called_as_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "suites").mkdir()
    file = tmp_path / "suites" / "f.yaml"
    assert shown(file) == "suites/f.yaml"
    monkeypatch.chdir(tmp_path / "suites")
    assert shown(file) == "f.yaml"
    assert shown(tmp_path / "data.jsonl") == "../data.jsonl"
    monkeypatch.chdir(tmp_path.parent)
    assert shown(file) == f"{tmp_path.name}/suites/f.yaml"
