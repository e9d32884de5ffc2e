"""--json-events: every event, its fields as documented, and that nobody has to read them."""

from __future__ import annotations

import errno
import io
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from haetae.cli.events import Events
from haetae.engine.watch import EndpointState, FailedSample, Progress

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"
OF_EVERY = {"type", "version", "at", "run", "suite"}


class _Clock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def _progress(done: int, at_s: float, *endpoints: EndpointState, failures: Any = (), **more: Any) -> Progress:
    return Progress(done, 10, 0, 0, 0, done, None, at_s, endpoints, "s.1", "s", failures=failures, **more)


def _written(*told: Progress) -> list[Any]:
    stream = io.StringIO()
    events = Events(stream, _Clock())
    for progress in told:
        events(progress)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_what_does_not_print_is_escaped_and_whole() -> None:  # SEC-11
    said = "한국 \x1b[2J\x9b31m \u202egnp.exe\u2066 \U000e0041 \x7f\u2028"
    stream = io.StringIO()
    Events(stream, _Clock())(_progress(0, 0.0, failures=(FailedSample("s1", 0, "target_raised", said, 1),)))
    line = stream.getvalue().splitlines()[1]
    assert line.isprintable()
    assert "한국" in line
    assert json.loads(line)["message"] == said


def _documented() -> dict[str, set[str]]:
    """The fields of each event by docs/events.md."""
    sections = re.split(r"^## `(\w+)`$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        kind: {
            name
            for row in re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
            for name in re.findall(r"`(\w+)`", row)
        }
        for kind, text in zip(sections[1::2], sections[2::2], strict=True)
    }


def test_each_event_has_the_fields_that_are_documented(shop: Any, tmp_path: Path) -> None:
    (shop.folder / "outputs.jsonl").write_text(
        "".join((shop.folder / "outputs.jsonl").read_text().splitlines(keepends=True)[:50])
    )
    said = shop.call("run", "suite.yaml", "--quiet", "--json-events", str(tmp_path / "events.jsonl"))
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    waits = EndpointState("http://a/v1", 1, 4, 3.0)
    events += _written(_progress(0, 0.0, EndpointState("http://a/v1", 1, 8, 0.0)), _progress(0, 0.1, waits))
    events += _written(_progress(0, 0.0, waits, stopping="interrupted"))[-2:-1]
    events += [{**dict.fromkeys(OF_EVERY), "type": "warning", "message": "a note"}]
    documented = _documented()
    assert {event["type"] for event in events} == set(documented)
    for event in events:
        assert event.keys() - OF_EVERY == documented[event["type"]], event["type"]
    assert (events[0]["type"], events[0]["done"], events[0]["total"]) == ("run_started", 0, 60)
    last = next(event for event in events if event["type"] == "run_ended")
    assert (last["run"], last["status"], last["exit_code"], last["error"]) == ("shop.1", "finished", said.code, None)
    assert {account["metric"] for account in last["accounting"]} == {"chrf", "right"}
    failed = [event for event in events if event["type"] == "sample_failed"]
    assert {event["sample"] for event in failed} == {f"s{n}" for n in range(50, 60)}
    assert {(event["reason"], event["attempts"]) for event in failed} == {("no_recorded_output", 1)}


def test_a_note_of_the_report_is_a_warning(shop: Any, tmp_path: Path) -> None:
    with (shop.folder / "samples.jsonl").open("a") as stream:
        stream.write("no json\n")
    said = shop.call("run", "suite.yaml", "--quiet", "--skip-bad", "--json-events", str(tmp_path / "e.jsonl"))
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    (warning,) = [event for event in events if event["type"] == "warning"]
    assert warning["message"].startswith("rows left out because they cannot be read: 1")
    assert warning["message"] in said.out


def test_events_on_standard_output_have_it_to_themselves(shop: Any) -> None:
    said = shop.call("run", "suite.yaml", "--json-events", "-")
    kinds = [json.loads(line)["type"] for line in said.out.splitlines()]
    assert kinds[0] == "run_started"
    assert kinds[-2:] == ["progress", "run_ended"]
    assert "No baseline 'production'" in said.err
    assert "60/60" in said.err
    gated = shop.call("gate", "suite.yaml", "--quiet", "--json-events", "-")
    assert json.loads(gated.out.splitlines()[-1])["verdict"] == "no verdict"


@pytest.mark.parametrize("also", [["run", "suite.yaml", "--json"], ["gate", "suite.yaml", "--markdown", "-"]])
def test_two_documents_do_not_share_standard_output(also: list[str], shop: Any) -> None:
    said = shop.call(*also, "--json-events", "-")
    assert (said.code, said.out) == (2, "")
    assert "has standard output to itself" in said.err


def test_a_mistake_before_any_call_is_the_last_event_too(shop: Any, tmp_path: Path) -> None:
    said = shop.call("run", "nothing.yaml", "--json-events", str(tmp_path / "deep" / "e.jsonl"))
    (event,) = map(json.loads, (tmp_path / "deep" / "e.jsonl").read_text().splitlines())
    assert (event["type"], event["run"], event["status"], event["exit_code"]) == ("run_ended", None, None, 2)
    assert event["error"] in said.err


def test_only_earlier_events_are_written_over(shop: Any, tmp_path: Path) -> None:
    before = (shop.folder / "samples.jsonl").read_bytes()
    refused = shop.call("run", "suite.yaml", "--json-events", str(shop.folder / "samples.jsonl"))
    assert (refused.code, (shop.folder / "samples.jsonl").read_bytes()) == (2, before)
    assert "holds no events of haetae" in refused.err
    assert shop.call("run", "suite.yaml", "--json-events", str(tmp_path / "e.txt")).code == 2
    for _ in range(2):
        assert shop.call("run", "suite.yaml", "--quiet", "--json-events", str(tmp_path / "e.jsonl")).code == 3


def test_score_files_have_no_events(shop: Any) -> None:
    said = shop.call("gate", "--baseline-scores", "a", "--candidate-scores", "b", "--json-events", "-")
    assert said.code == 2
    assert "goes with a SUITE" in said.err


def test_a_pipe_that_closes_does_not_end_the_run(shop: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    said = shop.call("run", "suite.yaml", "--json-events", f"/dev/fd/{write}")
    os.close(write)
    assert "events are no longer written" in said.err
    assert "60/60" in said.err
    assert "No baseline 'production'" in said.out
    assert shop.call("list", "runs", "--json").json[0]["status"] == "finished"


def test_a_pipe_that_nobody_reads_is_not_waited_for(shop: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events")
    said = shop.call("run", "suite.yaml", "--json-events", str(tmp_path / "events"))
    assert said.code == 2
    assert "nobody reads from this pipe; start its reader first" in said.err


def test_a_pipe_with_a_reader_is_written_to(shop: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events")
    reader = os.open(tmp_path / "events", os.O_RDONLY | os.O_NONBLOCK)
    shop.call("run", "suite.yaml", "--quiet", "--json-events", str(tmp_path / "events"))
    assert b'"type":"run_ended"' in os.read(reader, 65536)
    os.close(reader)


def test_a_disk_that_is_full_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    events = Events(Full(), _Clock())
    for second in range(3):
        events(_progress(second, float(second)))
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_progress_is_told_once_a_second_and_at_the_end() -> None:
    stream = io.StringIO()
    events = Events(stream, _Clock())
    for tenth in range(26):
        events(_progress(tenth, tenth / 10))
    events.failed(RuntimeError("gone"), 3)
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["done"] for event in written if event["type"] == "progress"] == [0, 10, 20, 25]
    assert written[-1]["error"] == "RuntimeError: gone"


def test_a_limit_that_changes_and_a_wait_are_told_when_they_begin() -> None:
    def at(second: float, limit: int, wait_s: float) -> Progress:
        return _progress(0, second, EndpointState("http://a/v1", 2, limit, wait_s))

    written = _written(at(0, 8, 0), at(0.5, 4, 3.0), at(1.0, 4, 2.5), at(1.5, 5, 6.0), at(9, 5, 0))
    rate = _written(_progress(0, 1.0, EndpointState("http://a/v1", 2, 8, 0.9, 4, "60 requests a minute")))
    assert "endpoint_waits" not in {event["type"] for event in rate}
    changed = [(e["before"], e["limit"]) for e in written if e["type"] == "limit_changed"]
    waits = [e["wait_s"] for e in written if e["type"] == "endpoint_waits"]
    assert (changed, waits) == ([(8, 4), (4, 5)], [3.0, 6.0])


def test_a_limit_that_fell_before_the_first_event_is_told_too() -> None:
    endpoint = EndpointState("http://a/v1", 2, 8, 0.0)
    started, changed, _ = _written(_progress(0, 0.5, endpoint, first_limits={"http://a/v1": 32}))
    assert started["endpoints"] == [{"endpoint": "http://a/v1", "limit": 32}]
    assert (changed["type"], changed["before"], changed["limit"]) == ("limit_changed", 32, 8)


def test_a_run_that_is_asked_to_end_says_so_once() -> None:
    ends = _progress(3, 0.1, EndpointState("http://a/v1", 32, 32, 0.0), stopping="interrupted")
    told = [e for e in _written(_progress(3, 0.0), ends, ends) if e["type"] == "stopping"]
    assert [(e["why"], e["in_flight"]) for e in told] == [("interrupted", 32)]


def test_money_shows_no_dust_of_binary_fractions() -> None:
    told = Progress(3, 10, 0, 0, 0, 3, 0.1 + 0.2, 0.0, budget_left={"usd": 0.1 + 0.7, "calls": 7})
    (_, event) = _written(told)
    assert (event["cost_usd"], event["budget_left"]) == (0.3, {"usd": 0.8, "calls": 7})


def test_secrets_and_broken_text_stay_out_of_the_lines() -> None:
    failed = FailedSample("한국\ud835", 0, "malformed", "Authorization: Bearer abcdefghijklmnop\nhttp://u:pw@host", 2)
    (event,) = [e for e in _written(_progress(1, 0.0, failures=(failed,))) if e["type"] == "sample_failed"]
    assert event["sample"] == "한국\ud835"
    assert "abcdefghijklmnop" not in event["message"]
    assert "pw@" not in event["message"]
