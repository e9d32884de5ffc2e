"""Names, secrets, canonical JSON, scores, generations, suites and errors."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from haetae.core.canonical import digest, dumps, loads
from haetae.core.clock import SystemClock
from haetae.core.generation import Failure, Generation, Usage, generation_from_json
from haetae.core.reference import Reference, check_name
from haetae.core.run import Accounting
from haetae.core.sample import Message, Sample, ToolCall, sample_from_json
from haetae.core.score import Score
from haetae.core.secrets import MASK, is_secret_field, looks_secret, redact, redact_json
from haetae.core.suite import Suite
from haetae.core.verdict import Verdict
from haetae.errors import ConfigError, HaetaeError, MissingExtra, Problem, StoreError, boundary


@pytest.mark.parametrize("name", ["a", "support-bot", "고객지원", "日本語", "v1.2_x", "A" * 64, "é"])
def test_letters_of_every_script_make_a_name(name: str) -> None:  # REG-08
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../../x",
        "a/b",
        "a\\b",
        "a..b",
        "CON",
        "con.txt",
        "nul",
        "com1",
        "A" * 300,
        "a b",
        "a\n",
        "_x",
        "-x",
        "😀",
        "a\0",
        "a@b",
        "a:b",
        "C:x",
    ],
)
def test_what_is_no_name_is_refused_shortly(name: str) -> None:  # REG-08, SEC-05
    with pytest.raises(ConfigError, match="is not a name") as caught:
        check_name(name)
    assert len(str(caught.value)) < 220


@pytest.mark.parametrize(
    ("text", "selector"),
    [("a", None), ("a@3", 3), ("a@production", "production"), ("a@sha256:0123abcd", "sha256:0123abcd")],
)
def test_a_reference_prints_as_it_was_written(text: str, selector: Any) -> None:
    assert Reference.parse(text) == Reference("a", selector)
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize("text", ["@3", "a@", "a@sha256:xyz", "a@../b", "a@b@c", "a@-1"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Reference.parse(text)


SECRETS = [
    "Authorization: Bearer abcdef123456",
    "Basic dXNlcjpwYXNzd29yZA==",
    "https://user:hunter2222@host/v1",
    "https://host/v1?api_key=abcd1234&x=1",
    "sk-abcdefghijklmnop",
    "sk-proj-abcdefghijklmnop",
    "ghp_abcdefghijklmnopqrstu",
    "hf_abcdefghijklmnopq",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA-abcdefghijklmnop",
    "eyJhbGciOiJI.eyJzdWIiOiIx.abcdefghijkl",
    "session-eyJhbGciOiJI.eyJzdWIiOiIx.abcdefghijkl",
    '{"client_secret": "abcd1234"}',
    "OPENAI_API_KEY=abcd1234",
    "https://host/v1?key=12345678-abcd1234",
    "https://host/v1?a=1&key=1234567890abcd1234",
    "https://host/#access_token=abcd1234",
    "api_key=7.abcd1234",
    "password=2024-abcd1234",
    'config.accessToken = "abcd1234"',
    '{"clientSecret": "abcd1234"}',
    '{\\"api_key\\": \\"abcd1234\\"}',
    '"{\\\\\\"api_key\\\\\\": \\\\\\"abcd1234\\\\\\"}"',
    "AccountName=me;AccountKey=abcd1234==;EndpointSuffix=x",
    "password='a long abcd1234'",
    "password='abcd1234",
    "Authorization: Token abcd1234",
    "'Proxy-Authorization': 'Custom abcd1234'",
    "X-Auth: Token abcd1234",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:  # SEC-07
    assert looks_secret(text)
    assert MASK in redact(text)
    for part in ("abcdef123456", "hunter2222", "abcd1234", "abcdefghijkl", "MIIB", "dXNlcjpwYXNzd29yZA", "IOSFODNN7"):
        assert part not in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "tokens: 12",
        "The key to success",
        "max_tokens=16384, 2",
        "maxTokens: 16384.",
        "{'prompt_tokens': 12345, 'key': 20260101}",
        "Monkey=banana; turkeys: roasted",
        "keystone=abcdefgh",
        "https://host/v1",
        "sk-1",
        "모델 키",
        "author: Kim Minji",
        "it refuses the key: check WANDB_API_KEY",
        "KeyError: 'no such key: answer'",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://:hunter@host/x", "http://***@host/x"),
        ("postgresql+psycopg://:hunter@host/db", "postgresql+psycopg://***@host/db"),
        ("http://u:hun@ter@host", "http://***@host"),
        ("http://u:hun/ter@host", "http://***@host"),
        ("http://u:hun?ter@host", "http://***@host"),
        ("http://u:hun#ter@host", "http://***@host"),
        ("http://u:hun@t/er@host", "http://***@host"),
        ("http://u:1234@host", "http://***@host"),
        ("http://u:hunter@[::1]:80/x", "http://***@[::1]:80/x"),
        ("http://me@corp.example:hunter@host", "http://***@host"),
        ("https://host/?next=http://u:hunter@inner/x", "https://host/?next=http://***@inner/x"),
        ('{"url":"http://u:hunter@host","mail":"a@b.example"}', '{"url":"http://***@host","mail":"a@b.example"}'),
        ("['http://u:hunter@host','a@b.example']", "['http://***@host','a@b.example']"),
        ('a "http://u:hun"ter@host"', 'a "http://***@host"'),
    ],
)
def test_a_password_in_a_url_is_masked_whatever_it_is_made_of(text: str, shown: str) -> None:  # SEC-07
    assert redact(text) == redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "write to joe@example.com: the server is http://host:8080/ and a:b@c is no URL",
        "https://host/path/@user",
        "https://host:8080/path/@user",
        "https://host:8080?to=joe@example.com",
        "http://[::1]:8080/@user",
        "http://[fd00::1]/@user",
        "ssh://git@github.com:22/lab/x@v1",
        "git@github.com:lab/x.git",
        "sqlite:////srv/a:b@c.db",
        '{"url":"http://host:8080","mail":"joe@example.com"}',
    ],
)
def test_what_has_an_at_sign_and_no_password_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text("u:p/?#@[]\"' h1."))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(f"http://{text}@host")
    assert redact(once) == once


@given(st.lists(st.sampled_from([*"=:'\"\\ ,;*a1\n-_", "key", "Token", "auth", "Bearer ", "password", "***"])))
def test_redacting_what_names_secrets_twice_is_redacting_once(pieces: list[str]) -> None:
    once = redact("".join(pieces))
    assert redact(once) == once


def test_text_made_to_keep_the_search_busy_is_read_in_one_walk() -> None:
    for text in ("-eyJ" * 300_000, "eyJ" * 300_000, "_-" * 500_000, "-----BEGIN A " * 90_000, "://a:" * 200_000):
        assert redact(text) == text
    for text in ("key='", 'key=\\"', "aKey=\\\\'", "aK" * 4, "auth:", "key= ", "key:\\"):
        assert redact(redact(text * 100_000)) == redact(text * 100_000)
    for text in ("://a:1/" * 200_000, "://[" * 300_000, "'http://" * 100_000, '"http://u:' * 100_000):
        assert redact(f"{text} a@b").endswith(" a@b")


def test_known_secrets_and_fields_of_secret_names_are_masked() -> None:
    assert redact("the pin is 99887766", ("99887766",)) == f"the pin is {MASK}"
    assert redact("abc", ("abc",)) == "abc"  # too short to be told from a word
    value = {"api_key": "x", "url": "https://h?token=abcdefg", "n": 1, "list": ["sk-abcdefghijklmnop"], "k_key": "${K}"}
    assert redact_json(value) == {
        "api_key": MASK,
        "url": f"https://h?token={MASK}",
        "n": 1,
        "list": [MASK],
        "k_key": "${K}",
    }
    headers = {"Authorization": "Bearer ${LAB_KEY}"}
    assert redact_json(headers) == headers  # it says where the secret comes from, and no more
    for held in ("Bearer ${LAB_KEY}x", "Bearer x${LAB_KEY}", "hunter2 ${LAB_KEY}", "Bearer x"):
        assert redact_json({"Authorization": held}) == {"Authorization": MASK}
    for name in ("OPENAI_API_KEY", "accessToken", "X-ClientSecret", "X-Signature", "X-Pwd", "auth", "key", "apikey"):
        assert is_secret_field(name)
    for name in ("monkey", "Monkey", "keys_of", "author", "max_tokens", "tokenizer"):
        assert not is_secret_field(name)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_canonical_json_reads_back_and_does_not_depend_on_the_order(value: Any) -> None:
    assert loads(dumps(value)) == value
    if isinstance(value, dict):
        assert digest(dict(reversed(value.items()))) == digest(value)


def test_lone_surrogates_are_kept_by_escapes() -> None:  # DAT-11
    assert dumps("a\ud835b") == '"a\\ud835b"'
    assert loads(dumps({"x": "a\ud835b"})) == {"x": "a\ud835b"}


@pytest.mark.parametrize("beside", ["", ', "half": "\\ud835"'])  # with half a character another parser reads the text
def test_an_integer_over_64_bits_is_read_as_a_float(beside: str) -> None:
    for number in (0, -0, 2**63, 2**64 - 1, -(2**63)):
        read = loads(f'{{"n": {number}{beside}}}')["n"]
        assert (type(read), read) == (int, number)
    for text in ("18446744073709551616", "-9223372036854775809", "1" + "0" * 300, "-" + "9" * 40):
        read = loads(f'{{"n": {text}{beside}}}')["n"]
        assert (type(read), read) == (float, float(text))
    assert loads(f'{{"n": 1{"0" * 5000}{beside}}}')["n"] == float("inf")
    assert len(digest("a\ud835b")) == 64


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "{", "[" * 100_000, b"\xff"])
def test_what_is_no_json_is_refused(text: Any) -> None:  # SEC-20
    with pytest.raises(ValueError):  # noqa: PT011  # json's and Unicode's own errors
        loads(text)


@given(st.floats() | st.none(), st.text(min_size=1) | st.none())
def test_a_score_has_a_finite_value_or_a_reason(value: float | None, reason: str | None) -> None:  # MET-06, STO-18
    right = (value is None) == (reason is not None) and (value is None or math.isfinite(value))
    if right:
        assert Score(value, reason=reason).value == value
    else:
        with pytest.raises(ValueError, match="a score"):
            Score(value, reason=reason)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(0.0, None), (1.0, None), (1.7, "out_of_range"), (-0.1, "out_of_range"), (math.nan, "not_finite")],
)
def test_a_value_outside_its_scale_is_never_clamped(value: float, reason: str | None) -> None:  # MET-09
    assert Score.of(value, 0, 1).reason == reason


def test_generations_samples_and_failures_read_back() -> None:
    whole = Generation(
        "x", ("c",), (ToolCall("t", {"a": 1}),), Usage(1, 2, 3, 4), 0.5, 1.5, "m", "stop", (-0.5,), 3, {"win": 0.5}
    )
    for each in (whole, Generation("x"), Failure("timeout", "slow", 3)):
        assert generation_from_json(loads(dumps(each.as_json()))) == each
    assert (Usage(1, 2, 3, 4) + Usage(1, 1, 1, 1)).total == 14
    sample = Sample(
        "s", (Message("system", "a"), Message("user", "b")), ("r",), ("c",), ("g",), (ToolCall("t"),), {"k": 1}
    )
    assert sample_from_json(sample.as_json()) == sample
    assert (sample.text, Sample("s", ()).text, len(Sample("s", "q").messages)) == ("b", "", 1)


def test_an_account_adds_up() -> None:
    account = Accounting("m", 10, 5, {"timeout": 2, "not_finite": 1})
    assert account.scored + sum(account.unscored.values()) + account.not_run == account.total
    assert account.not_run == 2


def test_verdicts_have_the_exit_codes_of_the_doors() -> None:
    assert [verdict.exit_code for verdict in Verdict] == [0, 1, 0, 3]


def _suite(**changed: Any) -> dict[str, Any]:
    return {"suite": "s", "dataset": "d", "target": {"outputs": "o"}, "metrics": {"m": "chrf"}, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"nothing": 1},
        {"limit": True},
        {"limit": -1},
        {"metrics": {}},
        {"target": {}},
        {"target": {"outputs": "o", "model": "m"}},
        {"target": {"outputs": "o", "prompt": "p"}},
        {"target": {"function": "no_colon"}},
        {"target": {"model": "m", "repeats": 0}},
        {"gate": {"metrics": {"other": {}}}},
        {"gate": {"metrics": {"m": {"by": "language"}}}},
        {"gate": {"metrics": {"m": {"max_drop": float("nan")}}}},
        {"gate": {"alpha": 0.5, "metrics": {"m": {}}}},
        {"gate": {"metrics": {}}},
        {"budget": {"usd": 0}},
        {"limits": {"in_flight": 0}},
        {"track": ["elsewhere"]},
    ],
)
def test_a_suite_is_strict(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Suite.model_validate(_suite(**changed))


def test_a_suites_digest_is_of_what_it_says() -> None:
    plain = Suite.model_validate(_suite())
    assert Suite.model_validate(json.loads(dumps(plain.as_json()))) == plain
    assert Suite.model_validate(_suite(limits={"tries": 5})).digest == plain.digest
    assert Suite.model_validate(_suite(limit=3)).digest != plain.digest


def test_problems_are_sorted_by_place_and_errors_keep_their_cause() -> None:
    error = ConfigError([Problem("b", "f", 9), Problem("a", "f", 2, 3, "x.y"), Problem("c")])
    assert str(error) == "c\nf:2:3: x.y: a\nf:9: b"
    assert ConfigError("text").problems == (Problem("text"),)
    assert "pip install -e '.[rag]'" in str(MissingExtra("ragas", "rag"))
    with pytest.raises(StoreError, match="writing: ZeroDivisionError") as caught, boundary(StoreError, "writing"):
        _ = 1 / 0
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(ConfigError, match="mine"), boundary(StoreError, "writing"):
        raise ConfigError("mine")
    assert issubclass(ConfigError, HaetaeError)
    assert (ConfigError("x").exit_code, StoreError("x").exit_code) == (2, 3)


def test_the_clock_tells_utc_and_never_runs_backwards() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() is not None
    assert clock.monotonic() <= clock.monotonic()
