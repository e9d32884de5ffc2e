"""Our registry and a real one of MLflow follow each other."""

from __future__ import annotations

from typing import Any

import pytest

from haetae.core.canonical import digest
from haetae.core.clock import SystemClock
from haetae.core.reference import Reference
from haetae.store.sql import open_ledger
from haetae.trackers.mlflow_names import spellings
from haetae.workbench.registry.following import RegistrySync

MODEL = {"base_url": "http://127.0.0.1:1/v1", "model": "qwen", "parameters": {"temperature": 0.5}}


@pytest.fixture
def client(mlflow_uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(mlflow_uri, registry_uri=mlflow_uri)


@pytest.fixture
def ledger(tmp_path: Any) -> Any:
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as made:
        yield made


@pytest.fixture
def sync(mlflow_uri: str, ledger: Any) -> Any:
    from haetae.trackers.mlflow import MlflowTracker

    tracker = MlflowTracker(mlflow_uri)
    return lambda: RegistrySync(ledger, ledger, tracker, SystemClock())(120.0)


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{text} {{{{ input }}}}"}]


def register(ledger: Any, kind: str, name: str) -> None:
    """A version of its own, in production."""
    content = prompt(name) if kind == "prompt" else {**MODEL, "model": f"the {kind} {name}"}
    version, _ = ledger.register(kind, name, content, SystemClock().now())
    ledger.set_alias(kind, name, "production", version.number, SystemClock().now())


def in_production(ledger: Any) -> dict[tuple[str, str], Any]:
    return {(v.kind, v.name): v.content for kind in ("model", "prompt") for v in ledger.versions(kind) if v.aliases}


def names_in(client: Any) -> set[str]:
    return {found.name for found in [*client.search_registered_models(), *client.search_prompts()]}


def numbers(aliases: Any) -> dict[str, int]:
    return {alias: int(number) for alias, number in aliases.items()}


def test_models_and_prompts_with_their_aliases_go_there_once(sync: Any, ledger: Any, client: Any) -> None:
    at = SystemClock().now()
    ledger.register("model", "한국어", MODEL, at)
    ledger.set_alias("model", "한국어", "production", 1, at)
    ledger.register("prompt", "answer", [{"role": "user", "content": "답: {{ input }}"}], at)
    ledger.set_alias("prompt", "answer", "candidate", 1, at)
    assert sync().whole
    (model,) = client.search_registered_models()
    assert numbers(model.aliases) == {"production": 1}
    assert client.get_prompt_version_by_alias("answer", "candidate").version == 1
    again = sync()
    assert (again.lines, again.moves) == ((), ())
    assert [version.reference for version in ledger.versions("model")] == ["한국어@1"]
    assert len(list(client.search_prompt_versions("answer", 10, None))) == 1


def test_what_was_made_in_mlflow_comes_here_once(sync: Any, ledger: Any, client: Any, mlflow_uri: str) -> None:
    client.register_prompt("answer", "Answer: {{input}}")
    client.register_prompt("answer", "Answer: {{input}}")  # MLflow makes another version of the same text
    client.register_prompt(
        "answer", [{"role": "system", "content": "be kind"}, {"role": "user", "content": "{{input}}"}]
    )
    client.set_prompt_alias("answer", "production", 3)
    first = sync()
    assert [version.content[0]["content"] for version in ledger.versions("prompt", "answer")] == [
        "Answer: {{input}}",
        "be kind",
    ]
    assert ledger.find("prompt", Reference("answer", "production")).number == 2
    assert [move.by for move in first.moves] == ["mlflow"]
    assert (sync().lines, len(list(client.search_prompt_versions("answer", 10, None)))) == ((), 3)


def test_a_model_that_holds_weights_stays_there_and_is_said(sync: Any, ledger: Any, client: Any) -> None:
    client.create_registered_model("classifier")
    client.create_model_version("classifier", "openai:/gpt-x", await_creation_for=0)
    client.set_registered_model_alias("classifier", "production", "1")
    said = "\n".join(sync().lines)
    assert "model classifier version 1 stays in MLflow only: mlflow:classifier@1 holds weights" in said
    assert ledger.versions("model") == []


def test_an_alias_moves_back_and_forth(sync: Any, ledger: Any, client: Any) -> None:
    at = SystemClock().now()
    for temperature in (0.0, 1.0):
        ledger.register("model", "llm", {**MODEL, "parameters": {"temperature": temperature}}, at)
    ledger.set_alias("model", "llm", "production", 1, at)
    sync()
    client.set_registered_model_alias("llm", "production", "2")
    (move,) = sync().moves
    assert (move.before, move.number) == (1, 2)
    ledger.set_alias("model", "llm", "production", 1, at)
    sync()
    assert numbers(client.get_registered_model("llm").aliases) == {"production": 1}
    client.delete_registered_model_alias("llm", "production")
    (line,) = sync().lines
    assert "was deleted in MLflow, and stays here" in line
    assert (sync().lines, client.get_registered_model("llm").aliases) == ((), {})


TANGLED = [
    [("model", "ask"), ("prompt", "ask"), ("prompt", "ask-prompt")],
    [("prompt", "bot"), ("model", "bot"), ("model", "bot-model")],
    [("prompt", "bot"), ("model", "bot-model"), ("model", "bot")],
    [("prompt", "ask-prompt"), ("model", "ask-prompt"), ("model", "ask"), ("prompt", "ask")],
    [("prompt", "bot챗"), ("model", "bot챗"), *(("model", there) for there in spellings("model", "bot챗")[:2])],
]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("registered", TANGLED)
def test_a_name_there_belongs_to_one_name_here(
    sync: Any, ledger: Any, client: Any, registered: list[tuple[str, str]], at_once: bool
) -> None:
    """MLflow has one set of names for models and prompts: the second of a name gets another, which may be a third's."""
    for kind, name in registered:
        register(ledger, kind, name)
        if not at_once:
            assert sync().whole
    ours = in_production(ledger)
    sync()
    assert len(names_in(client)) == len(registered)
    for _ in range(2):
        again = sync()
        assert (again.lines, again.moves) == ((), ())
    assert in_production(ledger) == ours
    assert all(move.by == "alias" for move in ledger.moves())


def test_another_ledger_finds_them_under_the_same_names(
    sync: Any, ledger: Any, client: Any, mlflow_uri: str, tmp_path: Any
) -> None:
    from haetae.trackers.mlflow import MlflowTracker

    for kind, name in TANGLED[0]:
        register(ledger, kind, name)
    sync()
    with open_ledger(f"sqlite:///{tmp_path / 'other.db'}") as other:
        there = RegistrySync(other, other, MlflowTracker(mlflow_uri), SystemClock())
        there(120.0)
        assert in_production(other) == in_production(ledger)
    assert sync().lines == ()


def test_what_has_a_made_up_name_there_is_found_without_the_other_kind(sync: Any, ledger: Any, client: Any) -> None:
    """Names given by an earlier haetae; the model because of which the prompt has another is deleted."""
    for kind, name in TANGLED[0][:2]:
        register(ledger, kind, name)
    sync()
    client.delete_registered_model("ask")
    ledger.register("prompt", "ask", prompt("a new one"), SystemClock().now())
    assert "prompt ask@2 is in MLflow now: ask-prompt version 2" in sync().lines


def test_what_an_earlier_haetae_mixed_up_is_kept_apart(sync: Any, ledger: Any, client: Any) -> None:
    """It put prompt `ask-prompt` into what it had made for prompt `ask`, and moved the alias there."""
    for kind, name in TANGLED[0][:2]:
        register(ledger, kind, name)
    sync()
    register(ledger, "prompt", "ask-prompt")
    marks = {"haetae.digest": digest(prompt("ask-prompt")), "haetae.version": "ask-prompt@1"}
    client.register_prompt("ask-prompt", prompt("ask-prompt"), tags=marks)
    client.set_prompt_alias("ask-prompt", "production", 2)
    ours = in_production(ledger)
    said = sync().lines
    assert "prompt ask@production points in MLflow at version 2, which stays there only" in said
    assert "prompt ask-prompt@1 is in MLflow now: ask-prompt-prompt version 1" in said
    assert in_production(ledger) == ours
    assert sync().lines == ()


def test_what_people_named_there_is_not_taken_for_a_made_up_name(sync: Any, ledger: Any, client: Any) -> None:
    client.register_prompt("ask-prompt", prompt("theirs"))
    for kind, name in TANGLED[0][:2]:
        register(ledger, kind, name)
    sync()
    assert [version.content for version in ledger.versions("prompt", "ask-prompt")] == [prompt("theirs")]
    assert names_in(client) == {"ask", "ask-prompt", spellings("prompt", "ask")[2]}
    assert sync().lines == ()


def test_where_no_name_is_left_it_stays_here_and_is_said(sync: Any, ledger: Any, client: Any) -> None:
    for there in spellings("prompt", "ask"):
        client.create_registered_model(there)
        client.create_model_version(there, "openai:/gpt-x", await_creation_for=0)
    register(ledger, "prompt", "ask")
    register(ledger, "prompt", "other")
    synced = sync()
    assert synced.whole
    assert any(line.startswith("prompt ask@1 stays here only: ask, ask-prompt, ") for line in synced.lines)
    assert "other" in names_in(client)


def test_of_two_names_there_that_are_one_here_the_marked_one_counts(sync: Any, ledger: Any, client: Any) -> None:
    for kind, name in reversed(TANGLED[0][:2]):
        register(ledger, kind, name)
        sync()
    client.delete_prompt("ask")
    client.create_registered_model("ask")
    client.create_model_version("ask", "openai:/gpt-x", await_creation_for=0)
    register(ledger, "model", "ask")
    for _ in range(2):
        assert "MLflow's model ask stays there only: ask is ask-model there" in sync().lines
    assert len(ledger.versions("model", "ask")) == 1


def test_a_name_of_another_script_that_people_gave_there_is_kept(sync: Any, ledger: Any, client: Any) -> None:
    client.create_registered_model("고객")
    client.create_model_version("고객", "openai:/gpt-x", await_creation_for=0)
    register(ledger, "model", "고객")
    sync()
    register(ledger, "model", "고객")
    assert {version.name for version in client.search_model_versions()} == {"고객"}


def test_a_mark_that_was_copied_to_other_content_is_not_believed(sync: Any, ledger: Any, client: Any) -> None:
    register(ledger, "prompt", "ask")
    sync()
    marks = client.get_prompt_version("ask", 1).tags
    client.register_prompt("ask", prompt("another"), tags={k: v for k, v in marks.items() if k.startswith("haetae.")})
    client.set_prompt_alias("ask", "production", 2)
    assert "prompt ask@2 comes from MLflow: ask version 2" in sync().lines
    assert ledger.find("prompt", Reference("ask", "production")).content == prompt("another")
    assert sync().lines == ()
