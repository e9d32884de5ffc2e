"""The wire: every status, every kind of body, usage and Retry-After, read as what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core.generation import Failure, Generation, Usage
from haetae.targets.wire import Price, chat_reply, http_failure, retry_after, usage_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _reply(message: Any = None, finish: Any = "stop", **rest: Any) -> bytes:
    message = {"role": "assistant", "content": "Seoul"} if message is None else message
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}], **rest}).encode()


def _failed(raw: bytes) -> Failure:
    found = chat_reply(raw, 0.1, None)
    assert isinstance(found, Failure)
    return found


def _answer(raw: bytes, price: Price | None = None) -> Generation:
    found = chat_reply(raw, 0.1, price)
    assert isinstance(found, Generation)
    return found


def test_an_answer_keeps_what_the_endpoint_said_of_it() -> None:
    raw = _reply(model="m-2026", usage={"prompt_tokens": 10, "completion_tokens": 5})
    found = _answer(raw, Price(1.0, 2.0))
    assert (found.output, found.model, found.finish_reason, found.latency_s) == ("Seoul", "m-2026", "stop", 0.1)
    assert found.usage == Usage(input=10, output=5)
    assert found.cost_usd == pytest.approx(20e-6)


def test_cached_input_is_counted_once() -> None:  # MET-11
    usage = usage_of(
        {
            "usage": {
                "prompt_tokens": 13_675,
                "prompt_tokens_details": {"cached_tokens": 9_216},
                "completion_tokens": 100,
                "completion_tokens_details": {"reasoning_tokens": 60},
            }
        }
    )
    assert usage == Usage(input=4_459, cached_input=9_216, output=40, reasoning=60)
    assert usage.input + usage.cached_input == 13_675
    assert Price(1.0, 10.0, 0.1).of(usage) == pytest.approx((4_459 + 921.6 + 1_000) / 1e6)
    assert Price(1.0, 10.0).of(usage) == pytest.approx((13_675 + 1_000) / 1e6)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        7,
        [],
        {},
        {"prompt_tokens": "10"},
        {"prompt_tokens": True},
        {"prompt_tokens": -1},
        {"prompt_tokens": 2**63},
        {"prompt_tokens": 10**12 + 1},
    ],
)
def test_what_cannot_be_a_count_is_no_usage(usage: Any) -> None:
    assert usage_of({"usage": usage}) is None
    assert _answer(_reply(usage=usage), Price(1, 1)).cost_usd is None


@pytest.mark.parametrize("details", [7, "x", [], {"cached_tokens": "12"}, {"cached_tokens": -5}])
def test_strange_details_of_usage_do_not_cost_the_answer(details: Any) -> None:
    found = usage_of({"usage": {"prompt_tokens": 10, "prompt_tokens_details": details}})
    assert found == Usage(input=10)


def test_more_cached_than_given_is_no_negative_count() -> None:
    found = usage_of({"usage": {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}}})
    assert found == Usage(input=0, cached_input=10)


@pytest.mark.parametrize(
    ("finish", "reason"), [("content_filter", "content_filter"), ("length", "truncated"), ("stop", "empty_answer")]
)
def test_each_way_of_not_answering_is_its_own_reason_and_still_costs(finish: str, reason: str) -> None:  # END-08
    usage = {"prompt_tokens": 10, "completion_tokens": 90}
    found = chat_reply(_reply({"content": ""}, finish, usage=usage), 0.1, Price(0, 1))
    assert isinstance(found, Failure)
    assert (found.reason, found.usage, found.cost_usd) == (reason, Usage(10, 0, 90), pytest.approx(90e-6))


def test_a_refusal_is_an_answer_that_says_it_is_one() -> None:  # END-08
    found = _answer(_reply({"content": None, "refusal": "I cannot help with that."}))
    assert (found.output, found.finish_reason) == ("I cannot help with that.", "refusal")


def test_parts_of_content_are_one_text_and_tool_calls_need_none() -> None:
    assert _answer(_reply({"content": [{"type": "text", "text": "a"}, {"text": "b"}]})).output == "ab"
    call = {"function": {"name": "search", "arguments": '{"q": "x"}'}}
    found = _answer(_reply({"content": None, "tool_calls": [call]}))
    assert found.tool_calls is not None
    assert (found.output, dict(found.tool_calls[0].arguments)) == ("", {"q": "x"})


@pytest.mark.parametrize("levels", [65, 300, 900])
def test_tool_calls_nested_deeper_than_anybody_reads_are_malformed(levels: int) -> None:
    call = {"function": {"name": "f", "arguments": '{"a":' * levels + "1" + "}" * levels}}
    assert _failed(_reply({"content": None, "tool_calls": [call]})).reason == "malformed_response"


@pytest.mark.parametrize("arguments", ["{broken", "[1]", [1], '"x"'])
def test_tool_calls_whose_arguments_are_no_object_are_malformed(arguments: Any) -> None:
    call = {"function": {"name": "search", "arguments": arguments}}
    assert _failed(_reply({"content": None, "tool_calls": [call]})).reason == "malformed_response"


@pytest.mark.parametrize(
    "raw",
    [
        b"<html><body>502 Bad Gateway</body></html>",
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"message": {"content": "cut o',
        b"\xff\xfe broken",
        b"[" * 100_000,
    ],
)
def test_a_200_that_is_no_completion_is_malformed_with_a_short_excerpt(raw: bytes) -> None:  # END-04, END-07, END-12
    found = _failed(raw)
    assert found.reason == "malformed_response"
    assert len(found.message) < 2_000


def test_an_excerpt_holds_no_secret() -> None:
    assert "sk-abcdefghijklmnop1234" not in _failed(b"<p>key sk-abcdefghijklmnop1234</p>").message


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=5))
def test_no_value_in_any_place_of_a_reply_raises(value: Any) -> None:
    for part in ("content", "tool_calls", "refusal"):
        chat_reply(_reply({"content": "x", part: value}), 0.1, Price(1, 1))
    for part in ("usage", "model"):
        chat_reply(_reply(**{part: value}), 0.1, Price(1, 1))
    raw = json.dumps({"choices": [{"message": {"content": "x"}, "finish_reason": value, "logprobs": value}]})
    chat_reply(raw.encode(), 0.1, None)


def test_log_probabilities_are_kept_only_when_all_are_numbers() -> None:
    def logprobs(*values: Any) -> Any:
        tokens = [{"logprob": value} for value in values]
        body = {"choices": [{"message": {"content": "x"}, "logprobs": {"content": tokens}}]}
        return _answer(json.dumps(body).encode()).logprobs

    assert logprobs(-0.5, -1) == (-0.5, -1.0)
    assert logprobs(-0.5, None) is None
    assert logprobs() is None


def _http(status: int, body: Any = "", **headers: str) -> Failure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http_failure(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw, "https://host (key $K)", NOW)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 407, 301, 302, 307])
def test_what_no_further_call_can_mend_is_fatal_and_names_the_endpoint(status: int) -> None:  # END-09
    found = _http(status, {"error": {"message": "no such key"}})
    assert found.fatal
    assert "https://host (key $K)" in found.message


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 507, 520, 521, 523, 529, 530, 598])
def test_the_servers_own_faults_are_worth_asking_again(status: int) -> None:  # END-03
    found = _http(status, b"<html>oops</html>", Retry_After="3")
    assert (found.reason, found.fatal, found.retry_after_s) == ("server_error", False, 3.0)


def test_too_many_requests_says_how_long_and_an_empty_purse_is_fatal() -> None:  # END-01
    assert _http(429, {"error": {"message": "slow down"}}, Retry_After="7").retry_after_s == 7.0
    assert not _http(429, {"error": {"message": "slow down"}}).fatal
    assert _http(429, {"error": {"message": "pay", "code": "insufficient_quota"}}).fatal


def test_bad_requests_tell_their_kind() -> None:  # END-10
    assert (
        _http(400, {"error": {"message": "This model's maximum context length is 8192"}}).reason == "context_too_long"
    )
    assert _http(400, {"error": {"message": "filtered", "code": "content_filter"}}).reason == "content_filter"
    assert _http(400, {"error": "bad"}).reason == "request_rejected"
    assert _http(422, ["x"]).reason == "request_rejected"
    assert not _http(400, {"error": "bad"}).fatal


def test_an_error_that_repeats_the_question_is_cut_and_redacted() -> None:  # SEC-08
    found = _http(400, {"error": {"message": "bad url https://x/?key=verysecretvalue " + "x" * 100_000}})
    assert "verysecretvalue" not in found.message
    assert len(found.message) < 1_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 12:01:30 -0000", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:  # END-01
    assert retry_after({"Retry-After": value}, NOW) == seconds


@pytest.mark.parametrize("status", [501, 505])
def test_what_a_server_does_not_do_at_all_is_asked_once(status: int) -> None:
    found = _http(status, {"error": "not implemented"})
    assert (found.reason, found.fatal) == ("request_rejected", False)


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 01 Mar 2026 12:00:00 +99999999999999",
        f"Sun, {'9' * 400} Mar 2026 12:00:00 GMT",
        "Sun, 01 Mar 2026 99999999999999999999:00:00 GMT",
        "Sun, 01 Mar 99999999999999999999 12:00:00 GMT",
    ],
)
def test_a_date_that_no_calendar_holds_is_none(date: str) -> None:  # END-01
    assert retry_after({"Retry-After": date}, NOW) is None
    soon = {"Retry-After": "Sun, 01 Mar 2026 12:00:07 GMT", "Date": date}
    assert retry_after(soon, NOW) == 7.0


_DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Sun", "", "x"]),
    *[st.integers() | st.integers(0, 99)],
    st.sampled_from(["Mar", "Dec", "0"]),
    *[st.integers() | st.integers(0, 99)] * 4,
    st.sampled_from(["GMT", "-0000", "", "+2359", "-9999"]) | st.integers().map("{:+}".format),
)


@given(*[st.none() | st.text() | st.from_regex(r"[-+0-9:., GMTa-e]{0,60}", fullmatch=True) | _DATES] * 3)
def test_no_wait_that_is_told_costs_a_call(after: str | None, ms: str | None, date: str | None) -> None:
    told = {"Retry-After": after, "retry-after-ms": ms, "Date": date}
    wait_s = retry_after({name: value for name, value in told.items() if value is not None}, NOW)
    assert wait_s is None or 0 <= wait_s <= 366 * 86_400


def test_a_wait_is_a_year_at_most() -> None:
    assert retry_after({"Retry-After": "1e308"}, NOW) == 365 * 86_400


def test_no_header_is_no_wait() -> None:
    assert retry_after({}, NOW) is None


def test_milliseconds_say_it_more_exactly() -> None:  # END-01
    assert retry_after({"retry-after-ms": "350", "Retry-After": "1"}, NOW) == 0.35
    assert retry_after({"retry-after-ms": "soon", "Retry-After": "2"}, NOW) == 2.0


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_date_is_counted_from_the_servers_own_clock(hours: int) -> None:  # END-01, END-17
    headers = {"Retry-After": "Sun, 01 Mar 2026 12:01:30 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    assert retry_after(headers, NOW + timedelta(hours=hours)) == 90.0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": 429, "message": "slow down"}, "rate_limited"),
        ({"code": 502, "message": "upstream"}, "server_error"),
        ({"code": "odd", "message": "what"}, "malformed_response"),
        ({"message": "what"}, "malformed_response"),
    ],
)
def test_an_error_that_comes_as_a_200_is_that_error(error: Any, reason: str) -> None:  # END-07
    found = chat_reply(json.dumps({"error": error}).encode(), 0.1, None)
    assert isinstance(found, Failure)
    assert found.reason == reason
    assert error["message"] in found.message


def _told(*tokens: dict[str, float]) -> Any:
    """A choice's log probabilities: of each token of the answer, the alternatives."""
    return {
        "content": [
            {"token": "4", "logprob": -0.1, "top_logprobs": [{"token": t, "logprob": p} for t, p in token.items()]}
            for token in tokens
        ]
    }


def test_one_token_with_its_alternatives_is_whole_although_the_limit_ended_it() -> None:
    """`max_tokens=1` asks for no more; every other answer at its limit is cut off."""

    def reply(logprobs: Any) -> bytes:
        choice = {"message": {"content": "4"}, "finish_reason": "length", "logprobs": logprobs}
        return json.dumps({"choices": [choice]}).encode()

    found = _answer(reply(_told({"4": -0.1, " 4": -3.0})))
    assert [(a.token, a.logprob) for a in found.alternatives[0]] == [("4", -0.1), (" 4", -3.0)]
    for cut_off in (None, _told({}), _told({"4": -0.1}, {"2": -0.1})):
        assert _failed(reply(cut_off)).reason == "truncated"
