"""The server on its socket: shapes, errors, determinism, and who may ask."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from haetae.demo.models import DemoModels
from haetae.demo.server import MAX_BODY, DemoServer, is_loopback
from haetae.errors import ConfigError

NAMES = ["extractive-answerer", "translation-memory", "lexical-judge", "ngram-lm", "hashed-embedder"]
PROMPT = "### Passages\n[1] Tokens expire after 90 days. Tokens are shown once.\n### Question\nWhen do tokens expire?"


def chat(model: str = "extractive-answerer", prompt: str = PROMPT, **more: Any) -> tuple[str, dict[str, Any]]:
    return "/chat/completions", {"model": model, "messages": [{"role": "user", "content": prompt}], **more}


def text(reply: Any) -> str:
    return str(reply["choices"][0]["message"]["content"])


def test_the_models_say_in_words_what_they_are(talk: Any) -> None:
    [(status, reply)] = talk(("/models", None), judge_revision=2)
    assert status == 200
    assert [row["id"] for row in reply["data"]] == NAMES
    assert all(len(row["description"]) > 40 for row in reply["data"])
    assert "lexical-judge-2" in [row["revision"] for row in reply["data"]]


def test_a_chat_completion_has_the_shape_of_openai(talk: Any) -> None:
    [(status, reply)] = talk(chat(temperature=0))
    choice = reply["choices"][0]
    assert status == 200
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "extractive-answerer-1"
    assert choice["message"] == {"role": "assistant", "content": "Tokens expire after 90 days.", "refusal": None}
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_pictures_are_passed_over_and_other_parts_refused(talk: Any) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    path, request = chat()
    request["messages"][0]["content"] = [{"type": "text", "text": PROMPT}, picture]
    heard = {**request, "messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}
    [(seen, reply), (status, error)] = talk((path, request), (path, heard))
    assert (seen, text(reply)) == (200, "Tokens expire after 90 days.")
    assert status == 400
    assert "messages[0] has a part that is neither text nor a picture" in error["error"]["message"]


def test_the_judge_names_its_revision_in_every_reply(talk: Any) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}
    form = {"type": "json_schema", "json_schema": {"name": "grade", "schema": schema}}
    request = chat("lexical-judge", "### Reference\nred apples\n### Answer\nred apples", response_format=form)
    [(_, first)] = talk(request)
    [(_, second)] = talk(request, judge_revision=2)
    assert (first["model"], second["model"]) == ("lexical-judge-1", "lexical-judge-2")
    assert json.loads(text(first))["score"] > json.loads(text(second))["score"]


def test_the_same_night_seed_and_prompt_give_the_same_answer(talk: Any) -> None:
    requests = [chat(temperature=1, seed=seed) for seed in range(20)]
    first, again = (talk(*requests, night=3, temperature_noise=0.5) for _ in range(2))
    other = talk(*requests, night=4, temperature_noise=0.5)
    assert [text(reply) for _, reply in first] == [text(reply) for _, reply in again]
    assert [text(reply) for _, reply in first] != [text(reply) for _, reply in other]
    assert len({text(reply) for _, reply in first}) == 2


def test_temperature_zero_knows_no_nights(talk: Any) -> None:
    said = {text(talk(chat(temperature=0), night=night, temperature_noise=1.0)[0][1]) for night in range(3)}
    assert said == {"Tokens expire after 90 days."}


def test_choices_are_drawn_apart(talk: Any) -> None:
    [(_, reply)] = talk(chat(temperature=1, n=16), temperature_noise=0.5)
    assert [choice["index"] for choice in reply["choices"]] == list(range(16))
    assert len({choice["message"]["content"] for choice in reply["choices"]}) == 2


def test_an_answer_over_max_tokens_is_cut_and_says_so(talk: Any) -> None:
    [(_, reply)] = talk(chat(temperature=0, max_tokens=4))
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] <= 4
    assert "Tokens expire after 90 days.".startswith(text(reply))


def test_parts_of_text_are_read_like_a_text(talk: Any) -> None:
    parts = [{"type": "text", "text": PROMPT[:30]}, {"type": "text", "text": PROMPT[30:]}]
    [(_, reply)] = talk(chat(prompt=parts, temperature=0))  # type: ignore[arg-type]  # content may be parts
    assert text(reply) == "Tokens expire after 90 days."


def test_embeddings_come_in_order_as_numbers_or_base64(talk: Any) -> None:
    body = {"model": "hashed-embedder", "input": ["배송", "token"]}
    (_, plain), (_, packed) = talk(("/embeddings", body), ("/embeddings", {**body, "encoding_format": "base64"}))
    assert [row["index"] for row in plain["data"]] == [0, 1]
    assert [len(row["embedding"]) for row in plain["data"]] == [256, 256]
    assert all(isinstance(row["embedding"], str) for row in packed["data"])
    assert plain["model"] == "hashed-embedder-1"


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/chat/completions", b"{not json", 400, "not JSON"),
        ("/chat/completions", b"[1]", 400, "not a JSON object"),
        ("/chat/completions", {"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}, 404, "no model"),
        ("/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, 400, "model is missing"),
        ("/chat/completions", {"model": "ngram-lm", "messages": []}, 400, "0 entries"),
        ("/chat/completions", {"model": "ngram-lm", "messages": ["x"]}, 400, "no role"),
        ("/chat/completions", {"model": "ngram-lm", "messages": [{"role": "user", "content": 7}]}, 400, "no text"),
        ("/chat/completions", chat(stream=True)[1], 400, "streaming"),
        ("/chat/completions", chat(n=17)[1], 400, "n is 17"),
        ("/chat/completions", chat(temperature="hot")[1], 400, "wrong type"),
        ("/chat/completions", chat("hashed-embedder")[1], 400, "does not chat"),
        ("/chat/completions", chat("lexical-judge")[1], 400, "JSON schema"),
        ("/completions", {"model": "ngram-lm", "prompt": [1, 2]}, 400, "token ids"),
        ("/completions", {"model": "ngram-lm", "prompt": "x" * 40_000}, 400, "maximum context"),
        ("/completions", {"model": "lexical-judge", "prompt": "x"}, 400, "ask ngram-lm"),
        ("/embeddings", {"model": "hashed-embedder", "input": []}, 400, "list of 1 to"),
        ("/embeddings", {"model": "hashed-embedder", "input": ""}, 400, "empty text"),
        ("/embeddings", {"model": "hashed-embedder", "input": "x", "dimensions": 8}, 400, "256 dimensions"),
        ("/nowhere", {}, 404, "Not Found"),
        ("/models", {}, 405, "Method Not Allowed"),
    ],
)
def test_a_wrong_request_is_refused_in_the_shape_of_openai(
    talk: Any, path: str, body: Any, status: int, says: str
) -> None:
    [(found, reply)] = talk((path, body))
    assert found == status
    assert says in reply["error"]["message"]
    assert set(reply["error"]) == {"message", "type", "param", "code"}


def test_a_body_over_the_cap_is_refused(talk: Any) -> None:
    [(status, reply)] = talk(("/embeddings", b" " * (MAX_BODY + 1)))
    assert status == 413
    assert "bytes" in reply["error"]["message"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_a_request_under_a_foreign_name_is_forbidden(talk: Any, host: str) -> None:  # SEC-12
    [(status, reply)] = talk(("/models", None, {"Host": host}))
    assert status == 403
    assert reply["error"]["code"] == "forbidden_host"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[", ""])
def test_a_web_page_of_another_place_is_not_answered(talk: Any, origin: str) -> None:  # SEC-12
    [(status, reply)] = talk(("/embeddings", b'{"model": "x", "input": "y"}', {"Origin": origin}))
    assert status == 403
    assert reply["error"]["code"] == "forbidden_origin"


@pytest.mark.parametrize("origin", ["http://localhost:8501", "http://127.0.0.1", "http://[::1]:80"])
def test_a_page_of_this_machine_is_answered(talk: Any, origin: str) -> None:
    [(status, _)] = talk(("/models", None, {"Origin": origin}))
    assert status == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:1", "[::1]:8765"])
def test_every_loopback_name_is_welcome(talk: Any, host: str) -> None:
    [(status, _)] = talk(("/models", None, {"Host": host}))
    assert status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org"])  # noqa: S104  # what must be refused
def test_it_binds_to_loopback_only(host: str) -> None:  # SEC-13
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="not a loopback address"):
        DemoServer(host)


def test_before_the_start_there_is_no_address() -> None:
    with pytest.raises(ConfigError, match="not started"):
        _ = DemoServer().base_url


@pytest.mark.real
def test_the_command_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, "-u", "-m", "haetae.demo.server", "--port", "0", "--judge-revision", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{url}/models") as reply:  # noqa: S310  # our own server
            assert "lexical-judge-2" in reply.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


@pytest.mark.real
def test_the_command_refuses_an_address_of_the_network() -> None:
    command = [sys.executable, "-m", "haetae.demo.server", "--host", "0.0.0.0"]  # noqa: S104  # what must be refused
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not a loopback address" in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    async def second() -> None:
        async with DemoServer() as server:
            port = int(server.base_url.split(":")[2].split("/")[0])
            with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
                await DemoServer(port=port).start()

    asyncio.run(second())


def test_a_fault_of_its_own_is_a_server_error_and_stands_in_the_log(
    talk: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: DemoModels) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(DemoModels, "listing", fail)
    [(status, reply)] = talk(("/models", None))
    assert status == 500
    assert reply["error"]["type"] == "server_error"
    assert "secret detail" not in reply["error"]["message"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("properties", "says"),
    [([], "not an object of schemas"), ({"score": 1}, "not an object of schemas"), ({}, "knows no schema")],
)
def test_what_is_no_schema_is_refused(talk: Any, properties: Any, says: str) -> None:
    schema = {"properties": properties, "items": {"properties": {"score": {}} if properties != {} else {}}}
    form = {"type": "json_schema", "json_schema": {"schema": schema}}
    [(status, reply)] = talk(chat("lexical-judge", response_format=form))
    assert status == 400
    assert says in reply["error"]["message"]


def test_a_scale_that_runs_backwards_is_refused(talk: Any) -> None:
    schema = {"properties": {"score": {"type": "number", "minimum": 5, "maximum": 1}}}
    [(status, reply)] = talk(
        chat("lexical-judge", response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    )
    assert status == 400
    assert "from 5 to 1" in reply["error"]["message"]
