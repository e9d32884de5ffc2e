"""Models, prompts and datasets by reference; versions and their differences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from haetae.core.clock import SystemClock
from haetae.core.suite import Suite
from haetae.engine.budget import Meter
from haetae.errors import ConfigError, JudgeError, RegistryError, TargetError
from haetae.settings import load_settings
from haetae.store.sql import SqlLedger
from haetae.workbench import registering
from haetae.workbench.resolve import Resolver

AT = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key": "${KEY}"}


class _Mirror:
    def __init__(self, content: Any) -> None:
        self._content = content

    def mirror(self, version: Any) -> Any:
        raise NotImplementedError

    def resolve(self, kind: str, name: str, selector: Any) -> Any:
        return self._content


@pytest.fixture
def resolver(ledger: SqlLedger, tmp_path: Path) -> Callable[..., Resolver]:
    def make(env: dict[str, str] | None = None, mirror: Any = None, **suite: Any) -> Resolver:
        parts = {"suite": "s", "dataset": "d.jsonl", "target": {"model": "llm"}, "metrics": {"m": "chrf"}, **suite}
        return Resolver(
            Suite.model_validate(parts),
            tmp_path,
            tmp_path,
            registry=ledger,
            env={"KEY": "secret-value"} if env is None else env,
            clock=SystemClock(),
            meter=Meter(),
            mirror=lambda: _Mirror(mirror),
            pacing=ledger.pacing,
        )

    return make


def test_a_model_is_connected_once_and_pinned(resolver: Callable[..., Resolver], ledger: SqlLedger) -> None:
    ledger.register("model", "llm", MODEL, AT)
    made = resolver()
    first = made.model("llm", TargetError)
    assert made.model("llm", TargetError) is first
    assert made.model("llm", JudgeError) is not first
    assert made.pins == {"llm": "llm@1"}
    assert first.fingerprint == {"base_url": "http://127.0.0.1:9/v1", "model": "m", "parameters": {}}
    assert "secret" not in repr(first.fingerprint)
    asyncio.run(made.aclose())


def test_models_behind_one_address_share_its_limits(resolver: Callable[..., Resolver], ledger: SqlLedger) -> None:
    for name, port in (("a", 1), ("b", 1), ("c", 2)):
        ledger.register("model", name, {**MODEL, "base_url": f"http://127.0.0.1:{port}/v1", "model": name}, AT)
    made = resolver()
    limiters = [made.model(name)._limiter for name in "abc"]  # type: ignore[attr-defined]  # how it is wrapped
    assert limiters[0] is limiters[1]
    assert limiters[0] is not limiters[2]


def test_azure_and_organizations_have_their_own_headers(resolver: Callable[..., Resolver], ledger: SqlLedger) -> None:
    ledger.register("model", "azure", {**MODEL, "api_version": "2026-01", "organization": "org-1"}, AT)
    endpoint = resolver().model("azure")._inner  # type: ignore[attr-defined]  # how it is wrapped
    assert endpoint._headers["api-key"] == "secret-value"
    assert "Authorization" not in endpoint._headers
    assert endpoint._headers["OpenAI-Organization"] == "org-1"
    assert endpoint._query == {"api-version": "2026-01"}


def test_a_missing_variable_or_version_is_named(resolver: Callable[..., Resolver], ledger: SqlLedger) -> None:  # CFG-11
    ledger.register("model", "llm", MODEL, AT)
    with pytest.raises(ConfigError, match="needs the environment variable KEY"):
        resolver(env={}).model("llm")
    with pytest.raises(RegistryError, match="no model 'other'"):
        resolver().model("other")


def test_a_budget_of_money_is_refused_where_a_price_is_missing(
    resolver: Callable[..., Resolver], ledger: SqlLedger
) -> None:
    ledger.register("model", "llm", MODEL, AT)
    ledger.register("model", "priced", {**MODEL, "price": {"input": 1.0, "output": 2.0}}, AT)
    with pytest.raises(ConfigError, match=r"budget\.usd: model llm has no price"):
        resolver(budget={"usd": 1.0}).model("llm")
    assert resolver(budget={"usd": 1.0}).model("priced")


def test_prompts_come_from_files_beside_the_suite_or_from_the_registry(
    resolver: Callable[..., Resolver], ledger: SqlLedger, tmp_path: Path
) -> None:
    (tmp_path / "p.md").write_text("Q: {{ input }}")
    ledger.register("prompt", "ask", [{"role": "user", "content": "{{ input }}"}], AT)
    made = resolver()
    assert made.prompt("p.md").content == [{"role": "user", "content": "Q: {{ input }}"}]
    assert made.prompt("ask@1").name == "ask"
    assert made.pins == {"ask@1": "ask@1"}
    with pytest.raises(ConfigError, match="outside the project"):
        made.prompt("../p.md")


def test_the_suites_own_judge_and_embeddings_are_the_defaults(resolver: Callable[..., Resolver]) -> None:
    made = resolver(judge="j@1", embeddings="e@2")
    assert (made.default("judge"), made.default("embeddings")) == ("j@1", "e@2")


def test_what_a_tracker_holds_is_checked_like_a_file(resolver: Callable[..., Resolver]) -> None:
    literal = ("3", {**MODEL, "api_key": "sk-canary-canary-canary"})
    with pytest.raises(ConfigError, match="model mlflow:llm@production cannot be used: api_key") as caught:
        resolver(mirror=literal).model("mlflow:llm@production")
    assert "canary" not in str(caught.value)
    made = resolver(mirror=("3", MODEL))
    made.model("mlflow:llm@production")
    assert made.pins == {"mlflow:llm@production": "mlflow:llm@3"}
    chat = resolver(mirror=("2", [{"role": "user", "content": "{{ input }}"}]))
    assert chat.prompt("mlflow:ask@2").name == "ask"
    for wrong in (7, [{"content": "x"}], [{"role": "user", "content": 7}]):
        with pytest.raises(ConfigError):
            resolver(mirror=("2", wrong)).prompt("mlflow:ask@2")


def test_files_become_contents_under_a_checked_name(tmp_path: Path) -> None:
    settings = load_settings({"HAETAE_HOME": str(tmp_path / "home")})
    (tmp_path / "pyproject.toml").touch()
    prompt = tmp_path / "ask.v2.md"
    prompt.write_text("{{ input }}")
    assert registering.content_of("prompt", prompt, None, settings)[0] == "ask"
    with pytest.raises(ConfigError, match="is not a name"):
        registering.content_of("prompt", prompt, "../x", settings)
    data = tmp_path / "d.jsonl"
    data.write_text('{"id": "a", "input": "q"}\n')
    name, content = registering.content_of("dataset", data, None, settings)
    assert (name, content["count"]) == ("d", 1)
    kept = tmp_path / "home" / "datasets" / content["file"]
    assert kept.read_text() == data.read_text()
    assert registering.content_of("dataset", data, None, settings)[1] == content


def test_the_nearest_ledger_of_the_project_is_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    suites = tmp_path / "project" / "suites" / "shop"
    suites.mkdir(parents=True)
    assert load_settings({}, suites).home == suites / ".haetae"
    (tmp_path / ".haetae").mkdir()
    assert load_settings({}, suites).home == suites / ".haetae"  # the user's home is no project
    assert load_settings({}, tmp_path).home == tmp_path / ".haetae"
    above = tmp_path / "project" / ".haetae"
    above.mkdir()
    assert load_settings({}, suites).home == above
    (tmp_path / "project" / "pyproject.toml").touch()
    assert load_settings({}, suites).home == above
    (suites.parent / ".git").touch()
    assert load_settings({}, suites).home == suites / ".haetae"  # another project's is not ours
    assert load_settings({"HAETAE_HOME": "/x"}, suites).home == Path("/x")


def test_no_ledger_is_found_where_anybody_may_put_one(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / ".haetae").mkdir()
    assert load_settings({}, tmp_path / "suites").home == tmp_path / ".haetae"
    tmp_path.chmod(0o1777)
    assert load_settings({}, tmp_path / "suites").home == tmp_path / "suites" / ".haetae"


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    plain = load_settings({}, tmp_path)
    assert plain.home == tmp_path / ".haetae"
    assert plain.ledger == f"sqlite:///{tmp_path / '.haetae' / 'ledger.db'}"
    other = load_settings({"HAETAE_HOME": "/x", "HAETAE_LEDGER": "postgresql://h/d", "MLFLOW_TRACKING_URI": "http://m"})
    assert (other.ledger, other.mlflow, other.wandb_mode) == ("postgresql://h/d", "http://m", "offline")
    assert "env" not in repr(load_settings({"KEY": "canary"}))
    with pytest.raises(ConfigError, match="HAETAE_WANDB_MODE: 'loud' is none of off, offline and online"):
        load_settings({"HAETAE_WANDB_MODE": "loud"})


def test_a_rubric_that_ships_is_named_by_itself_and_language(resolver: Callable[..., Resolver]) -> None:
    made = resolver()
    english, korean = made.prompt("helpfulness.en"), made.prompt("helpfulness.ko")
    assert (english.name, korean.name) == ("helpfulness.en", "helpfulness.ko")
    assert english.digest != korean.digest
    assert "답변" in korean.messages[0].content


def test_a_registered_prompt_comes_before_the_rubric_of_the_same_name(
    resolver: Callable[..., Resolver], ledger: SqlLedger
) -> None:
    ledger.register("prompt", "helpfulness.ko", [{"role": "user", "content": "내 기준 {{ output }}"}], AT)
    made = resolver()
    assert made.prompt("helpfulness.ko").messages[0].content == "내 기준 {{ output }}"
    assert made.pins == {"helpfulness.ko": "helpfulness.ko@1"}


def test_a_name_that_is_nearly_that_of_a_rubric_is_told_which(resolver: Callable[..., Resolver]) -> None:
    with pytest.raises(RegistryError, match=r"did you mean helpfulness\.ko\?"):
        resolver().prompt("helpfullness.ko")


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("model", "grader", "registered are: judge; register one: haetae register model grader.yaml --name grader"),
        ("model", "grader@production", "haetae register model grader.yaml --name grader --alias production"),
        ("model", "jugde@2", "no model 'jugde' is registered; registered are: judge; did you mean judge?"),
        ("model", "judge@9", "there is no model judge@9; versions of judge: 1"),
        ("model", "openai-community/gpt2", "'openai-community/gpt2' is not a name; a name of a hub is not taken"),
        ("prompt", "judge/helpfulness.ko", "'judge/helpfulness.ko' is not a name; write helpfulness.ko"),
        ("prompt", "rubrics/mine", "is not a name; a prompt in a file ends with one of .j2, .md, .txt, .yaml, .yml"),
        ("prompt", "helpfulness.kr", "24 rubrics ship, such as helpfulness.ko; did you mean helpfulness.ko?"),
        (
            "prompt",
            "zzz",
            "rubrics ship, such as helpfulness.ko; register one: haetae register prompt zzz.md --name zzz",
        ),
    ],
)
def test_a_name_that_is_not_registered_is_told_what_to_do(
    resolver: Callable[..., Resolver], ledger: SqlLedger, kind: str, name: str, said: str
) -> None:
    ledger.register("model", "judge", MODEL, AT)
    made = resolver()
    with pytest.raises(ConfigError) as caught:
        made.model(name) if kind == "model" else made.prompt(name)
    assert said in str(caught.value)


def test_recorded_outputs_of_another_system_are_read_whole(resolver: Callable[..., Resolver], tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"id": "a", "output": "답"}\n{"id": "b", "output": " "}\n{"id": "c", "win": 0.5}\n', "utf-8")
    found = resolver().outputs("other.jsonl")
    assert (found.name, dict(found.answers)) == ("other.jsonl", {"a": "답"})  # a blank answer is none
    file.write_text('{"id": "a", "output": "다른 답"}\n', "utf-8")
    assert resolver().outputs("other.jsonl").digest != found.digest
    with pytest.raises(ConfigError, match="outside the project"):
        resolver().outputs("../other.jsonl")
