from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from haetae.catalog.model_file import load_model
from haetae.catalog.prompt_file import load_prompt
from haetae.core.model_spec import ModelSpec
from haetae.core.sample import Message
from haetae.errors import ConfigError

Write = Callable[[str, str | bytes], Path]

MODEL = "base_url: https://llm.example/v1\nmodel: gpt-x\napi_key: ${LLM_KEY}\n"


def _refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(path)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".j2"])
def test_a_text_file_is_one_user_message(write: Write, suffix: str) -> None:
    prompt = load_prompt(write(f"prompts/answer{suffix}", "\ufeffAnswer: {{ input }}\n"))
    assert prompt.name == "answer"
    assert prompt.messages == (Message("user", "Answer: {{ input }}\n"),)


def test_a_yaml_file_is_a_chat(write: Write) -> None:
    text = "messages:\n  - {role: system, content: Be kind.}\n  - role: user\n    content: '{{ input }}'\n"
    assert load_prompt(write("p.yaml", text)).content == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "{{ input }}"},
    ]


def test_a_chat_with_a_wrong_role_and_a_number_says_both_lines(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load_prompt(write("p.yaml", "messages:\n  - {role: bot, content: x}\n  - {role: user, content: 5}\n"))
    assert [str(p).partition(", got")[0] for p in caught.value.problems] == [
        "p.yaml:2:12: messages.0.role: expected 'system', 'user', 'assistant' or 'tool'",
        "p.yaml:3:27: messages.1.content: expected text",
    ]


def test_a_template_that_does_not_parse_is_said_at_its_file_and_line(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"^prompts/p\.md:2: template: "):
        load_prompt(write("prompts/p.md", "fine\n{{ broken\n"))


def test_prompts_outside_the_project_empty_or_of_another_kind_are_refused(write: Write, project: Path) -> None:
    (project.parent / "secret.md").write_text("x")
    (project / "link.md").symlink_to(project.parent / "secret.md")
    for path, why in [
        (project / "../secret.md", "outside the project"),
        (project / "link.md", "outside the project"),
        (project / "none.md", "does not exist"),
        (write("empty.md", " \n"), "the prompt is empty"),
        (write("p.py", "print()"), "a prompt is one of"),
    ]:
        with pytest.raises(ConfigError, match=why):
            load_prompt(path, project)


def test_a_model_file_keeps_its_placeholders(write: Write) -> None:
    text = MODEL + "headers: {Authorization: 'Bearer ${TOKEN}'}\nparameters: {temperature: 0, stop: [END]}\n"
    content = load_model(write("m.yaml", text + "price: {input: 2.5, output: 10}\n"))
    assert content == {
        "base_url": "https://llm.example/v1",
        "model": "gpt-x",
        "api_key": "${LLM_KEY}",
        "headers": {"Authorization": "Bearer ${TOKEN}"},
        "parameters": {"temperature": 0, "stop": ["END"]},
        "price": {"input": 2.5, "output": 10.0},
    }
    assert ModelSpec.model_validate(content).variables == ("LLM_KEY", "TOKEN")


@pytest.mark.parametrize(
    "line",
    [
        "api_key: sk-abcdefghijklmnop",
        "headers: {x-api-key: abc}",
        "headers: {accessToken: abcdefgh}",
        "headers: {X-Auth: Token abcdefgh}",
        "parameters: {token: abcdefgh}",
        "parameters: {clientSecret: abcdefgh}",
    ],
)
def test_a_literal_secret_is_refused_with_its_line_and_not_repeated(write: Write, line: str) -> None:
    said = _refusal(write("m.yaml", MODEL.replace("api_key: ${LLM_KEY}", line)))
    assert "m.yaml:3:" in said
    assert "literal secret" in said
    assert "abc" not in said


@pytest.mark.parametrize("line", ["api_key: 9876543210", "headers: {Authorization: 9876543210}"])
def test_a_secret_of_digits_is_not_repeated(write: Write, line: str) -> None:  # CFG-15
    said = _refusal(write("m.yaml", MODEL.replace("api_key: ${LLM_KEY}", line)))
    assert "m.yaml:3:" in said
    assert "expected text, got the number ***" in said
    assert "9876543210" not in said


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("p.md", "Say\nhello with sk-abcdefghijklmnop\n", "p.md:2"),
        ("p.yaml", 'messages:\n- role: user\n  content: "a key sk-abcdefghijklmnop"\n', "p.yaml:3:12"),
    ],
)
def test_what_looks_like_a_secret_in_a_prompt_is_warned_of_with_its_line(
    name: str, text: str, place: str, write: Write, caplog: pytest.LogCaptureFixture
) -> None:  # CFG-15
    assert load_prompt(write(name, text)).name == "p"
    (said,) = caplog.messages
    assert place in said
    assert "looks like a secret" in said
    assert "sk-abc" not in said


def test_the_mistakes_of_a_model_file_come_all_at_once(write: Write) -> None:
    text = "base_url: ftp://x\nmodell: m\nprice: {input: -1, output: 1.0e+308}\nlikelihood: ecko\n"
    assert _refusal(write("m.yaml", text)).splitlines() == [
        "m.yaml:1:1: model: missing",
        "m.yaml:1:11: base_url: expected an http or https URL, got ftp:",
        "m.yaml:2:1: modell: unknown key; did you mean model?",
        "m.yaml:3:16: price.input: expected a number from 0 to 1e+06, got -1",
        "m.yaml:3:28: price.output: expected a number from 0 to 1e+06, got 1.0e+308",
        "m.yaml:4:13: likelihood: expected 'echo' or 'prompt_logprobs', got text 'ecko'; did you mean echo?",
    ]


def test_a_model_is_resolved_from_the_environment_handed_over() -> None:
    spec = ModelSpec(
        base_url="${BASE}/v1", model="m", api_key="${KEY}", headers={"Authorization": "Bearer ${T}", "x-team": "a"}
    )
    ready = spec.resolved({"BASE": "http://localhost:8000", "KEY": "k", "T": "t"})
    assert (ready.base_url, ready.api_key) == ("http://localhost:8000/v1", "k")
    assert ready.headers == {"Authorization": "Bearer t", "x-team": "a"}
    assert spec.api_key == "${KEY}"


def test_every_missing_variable_of_a_model_is_named() -> None:
    spec = ModelSpec(base_url="${BASE}/v1", model="m", api_key="${KEY}")
    with pytest.raises(ConfigError, match=r"(?s)variable BASE.*variable KEY"):
        spec.resolved({"KEY": ""})


def test_a_url_from_the_environment_is_judged_like_a_written_one() -> None:
    with pytest.raises(ConfigError, match="link-local"):
        ModelSpec(base_url="http://${HOST}/v1", model="m").resolved({"HOST": "169.254.169.254"})


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": [float("inf")]}])
def test_parameters_are_finite(value: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="finite"):
        ModelSpec(base_url="http://x", model="m", parameters=value)


def test_a_header_cannot_smuggle_another() -> None:
    with pytest.raises(ValidationError, match="one line"):
        ModelSpec(base_url="http://x", model="m", headers={"x-a": "1\r\nx-b: 2"})
