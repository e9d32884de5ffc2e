"""Alerts over real receivers: one message for a change, whatever the channel does, and nothing of a run changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae.core.alert_address import alert_addresses
from haetae.core.clock import SystemClock
from haetae.core.verdict import Verdict
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from tests.fakes.outage import Outage
from tests.fakes.receivers import Mailbox, Webhook


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with Webhook() as made:
        yield made


@pytest.fixture(autouse=True)
def in_no_hurry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does much else may take seconds to begin; only a black hole is left as early as ever."""
    if "weather" not in request.fixturenames:
        monkeypatch.setattr("haetae.workbench.alerts.raising._AFTER_RUN_S", 60.0)


@pytest.fixture
def told(project: Any, hook: Webhook) -> Any:
    """The project with the webhook as the one address, and its first run as the baseline."""
    return _with(project, hook.address)


def _with(project: Any, *addresses: str, allow: tuple[str, ...] = ("127.0.0.0/8",)) -> Any:
    found = alert_addresses(" ".join(addresses))
    project.settings = replace(project.settings, alerts=found, alerts_allow=allow, link="https://haetae.example")
    project.suite.write_text(project.suite.read_text().replace("max_drop: 0.05", "max_drop: 0.3"))
    with Workbench(replace(project.settings, alerts=())) as bench:
        bench.promote(bench.run(project.suite, fresh=True).run.id)
    return project


def _night(project: Any, server: Any, replies: Any, number: int, *, falls: bool = False) -> Any:
    """The report of a night by the schedule, in which the model answers as ever, or nonsense."""
    server.answer = replies.by_model if not falls else lambda body, headers: _nonsense(body, headers, replies)
    with project.bench() as bench:
        return bench.run(project.suite, fresh=True, tags={"due": f"night {number}"})


def _nonsense(body: dict[str, Any], headers: dict[str, str], replies: Any) -> tuple[int, str]:
    graded: tuple[int, str] = replies.by_model(body, headers)
    completed: tuple[int, str] = replies.completed("zzzz zzzz")
    return graded if body["model"] == "judge" else completed


def test_a_month_with_ten_bad_nights_is_two_messages(told: Any, hook: Webhook, server: Any, replies: Any) -> None:
    verdicts = [_night(told, server, replies, n, falls=11 <= n <= 20).verdict for n in range(1, 31)]
    assert [n for n, verdict in enumerate(verdicts, 1) if verdict is Verdict.REGRESSION] == list(range(11, 21))
    assert [message["title"] for message in hook.got] == ["✗ Regression: bot: chrf", "✓ Recovered: bot"]
    fell, recovered = hook.got
    assert (fell["type"], recovered["type"]) == ("failure", "success")
    assert fell["message"].startswith("https://haetae.example/run?suite=bot&run=bot.12\n\nmonitor: chrf of bot fell by")
    assert "\n✗ REGRESSION" in fell["message"]
    assert "haetae show bot.12" in fell["message"]
    assert "chrf had fallen; that is over." in recovered["message"]


def test_a_run_by_hand_and_a_gate_tell_nobody(told: Any, hook: Webhook, server: Any, replies: Any) -> None:
    server.answer = lambda body, headers: _nonsense(body, headers, replies)
    with told.bench() as bench:
        assert bench.run(told.suite, fresh=True).verdict is Verdict.REGRESSION
        assert bench.gate(told.suite).verdict is Verdict.REGRESSION
        assert bench.ledger.alerts() == []
        assert bench.run(told.suite, fresh=True, tags={"alert": "asked for"}).verdict is Verdict.REGRESSION
    assert len(hook.got) == 1


def test_a_suite_says_of_what_people_are_told(told: Any, hook: Webhook, server: Any, replies: Any) -> None:
    told.suite.write_text(told.suite.read_text() + "alert: [regression]\n")
    _night(told, server, replies, 1, falls=True)
    _night(told, server, replies, 2)
    assert [message["title"] for message in hook.got] == ["✗ Regression: bot: chrf"]


def test_who_asks_for_alarms_is_told_by_the_watch_over_the_nights_once_and_of_the_end(
    told: Any, hook: Webhook, server: Any, replies: Any
) -> None:
    told.suite.write_text(told.suite.read_text() + "alert: [alarm, recovery]\n")
    for number in range(1, 13):
        _night(told, server, replies, number, falls=5 <= number <= 8)
    fell, recovered = hook.got
    assert (fell["title"], fell["type"]) == ("✗ Fell over the nights: bot: chrf", "failure")
    assert "monitor: chrf of bot fell by" in fell["message"]
    assert "since bot.6" in fell["message"]
    assert recovered["title"] == "✓ Recovered: bot"
    assert "chrf had fallen; that is over." in recovered["message"]


def test_a_receiver_that_is_down_changes_no_run_and_is_told_once_when_it_is_back(
    told: Any, hook: Webhook, server: Any, replies: Any
) -> None:  # TRK-01, TRK-05
    hook.down()
    report = _night(told, server, replies, 1, falls=True)
    assert report.exit_code == 1
    assert "address 1 (json): not told yet (it cannot be reached: the connection is refused)" in report.text
    again = _night(told, server, replies, 2, falls=True)
    assert [e.value for e in again.estimates] == [e.value for e in report.estimates]
    with told.bench() as bench:
        assert bench.waiting() == 1
        assert bench.sync() == [
            "address 1 (json): not told yet (it cannot be reached: the connection is refused); kept"
        ]
        assert bench.waiting() == 1
    hook.up()
    with told.bench() as bench:
        assert bench.sync() == ["address 1 (json): told (bot.2:regression:chrf)"]
        assert bench.sync() == []
    assert [message["title"] for message in hook.got] == ["✗ Regression: bot: chrf"]


def test_a_receiver_that_answers_errors_is_told_again_until_it_takes_it(
    told: Any, hook: Webhook, server: Any, replies: Any
) -> None:
    hook.answer = lambda path: (503, {})
    assert "it answers 503" in _night(told, server, replies, 1, falls=True).text
    hook.answer = lambda path: (200, {})
    _night(told, server, replies, 2, falls=True)
    _night(told, server, replies, 3, falls=True)
    assert len(hook.got) == 2  # the one that it refused, and the one that it took


@pytest.mark.parametrize("weather", ["black hole", "unreachable"])
def test_a_black_hole_changes_no_run_and_is_told_once_when_it_is_gone(
    weather: Any, project: Any, hook: Webhook, server: Any, replies: Any
) -> None:  # TRK-02
    with Outage(hook.port) as way:
        _with(project, f"json://127.0.0.1:{way.port}/x")
        way.becomes(weather)
        report = _night(project, server, replies, 1, falls=True)
        assert report.exit_code == 1
        assert "address 1 (json): not told yet" in report.text
        way.becomes("there")
        with project.bench() as bench:
            assert [line.partition(" (bot")[0] for line in bench.sync()] == ["address 1 (json): told"]
            assert bench.sync() == []
    assert len(hook.got) == 1


def test_a_channel_that_is_down_keeps_no_other_waiting_and_each_is_told_once(
    project: Any, hook: Webhook, server: Any, replies: Any
) -> None:
    with Mailbox() as mailbox:
        _with(project, hook.address, mailbox.address)
        hook.down()
        _night(project, server, replies, 1, falls=True)
        assert len(mailbox.got) == 1
        hook.up()
        _night(project, server, replies, 2)
        assert [message["title"] for message in hook.got] == ["✗ Regression: bot: chrf", "✓ Recovered: bot"]
        assert len(mailbox.got) == 2
        fell = mailbox.got[0]
    assert fell["Subject"] == "✗ Regression: bot: chrf"
    body = fell.get_body(("html",))
    assert body is not None
    page = body.get_content()
    assert 'href="https://haetae.example/run?suite=bot&amp;run=bot.2"' in page
    assert "<table>" in page  # the report whole
    assert "apprise/raw" not in page  # no picture from elsewhere


def test_who_died_after_sending_may_tell_one_message_again_and_none_is_lost(
    told: Any, hook: Webhook, server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # TRK-12
    from haetae.store.alerts import Alerts

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Alerts, "alert_delivered", die)
        with pytest.raises(KeyboardInterrupt):
            _night(told, server, replies, 1, falls=True)
    assert len(hook.got) == 1
    with told.bench() as bench:
        assert bench.sync() == []  # it may still be at it
    with Workbench(told.settings, clock=_Later()) as bench:
        assert bench.sync() == ["address 1 (json): told (bot.2:regression:chrf)"]
        assert bench.sync() == []
    assert len(hook.got) == 2


class _Later(SystemClock):
    """A clock that is ten minutes ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=10)


def test_a_run_that_died_over_its_report_raises_its_alert_when_it_is_continued(
    told: Any, hook: Webhook, server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from haetae.store.verdicts import Verdicts

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Verdicts, "save_estimates", die)
        with pytest.raises(KeyboardInterrupt):
            _night(told, server, replies, 1, falls=True)
    assert hook.got == []
    _night(told, server, replies, 1, falls=True)
    _night(told, server, replies, 2, falls=True)
    assert len(hook.got) == 1


def test_a_budget_that_ends_a_night_is_told(told: Any, hook: Webhook, server: Any, replies: Any) -> None:
    text = told.suite.read_text()
    told.suite.write_text(text + "budget: { calls: 10 }\n")
    for number in (1, 2):
        assert _night(told, server, replies, number).exit_code == 3
    assert [message["title"] for message in hook.got] == ["– Budget reached: bot"]
    assert "the budget of 10 calls is used up" in hook.got[0]["message"]


def test_nothing_of_an_address_is_left_behind(
    project: Any, hook: Webhook, server: Any, replies: Any, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:  # SEC-07, SEC-08
    hook.answer = lambda path: (401, {})
    addresses = (
        f"json://canaryuser:canarypass@127.0.0.1:{hook.port}/canarypath?+X-Key=canaryheader&:f=canaryfield",
        "slack://canarytokena/canarytokenb/canarytokenc",
        "json://127.0.0.1:1/canaryrefused?verify=no&key=canaryquery",
        "mailto://canaryname:canaryword@127.0.0.1:1?from=a@example.com&to=canaryto@example.com",
    )
    _with(project, *addresses)
    server.answer = lambda body, headers: _nonsense(body, headers, replies)
    report = _night(project, server, replies, 1, falls=True)
    with project.bench() as bench:
        said = [*bench.sync(), repr(bench.settings), report.text, json.dumps(report.as_json()), caplog.text]
        said += [repr(alert) for alert in bench.ledger.alerts()]
    kept = b"".join(file.read_bytes() for file in Path(project.settings.home).rglob("*") if file.is_file())
    out, err = capfd.readouterr()
    everything = "\n".join([*said, kept.decode(errors="replace"), out, err])
    assert "address 1 (json): not told yet (it answers 401" in everything
    assert "address 2 (slack): not told yet" in everything
    assert "canary" not in everything.replace("canary-key-", "")


def test_a_message_is_cut_to_what_a_channel_takes_and_stays_one(
    told: Any, hook: Webhook, server: Any, replies: Any
) -> None:
    told.settings = replace(told.settings, alerts=alert_addresses(f"mmost://127.0.0.1:{hook.port}/{'a' * 24}"))
    rows = [{"id": f"s{n:03}", "input": "q", "reference": "r", "metadata": {"part": f"{n // 2}"}} for n in range(120)]
    (told.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Workbench(replace(told.settings, alerts=())) as bench:
        server.answer = lambda body, headers: (
            replies.graded() if body["model"] == "judge" else replies.completed("r" if "zz" not in str(body) else "z")
        )
        bench.promote(bench.run(told.suite, fresh=True).run.id, reason="other samples")
    _night(told, server, replies, 1, falls=True)
    (message,) = hook.got
    assert len(message["text"]) <= 4000
    assert "https://haetae.example/run" in message["text"]


def test_without_the_package_the_run_says_which_to_install(
    told: Any, server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # TRK-08
    monkeypatch.setattr("haetae.trackers.alerts.find_spec", lambda name: None)
    report = _night(told, server, replies, 1, falls=True)
    assert report.exit_code == 1
    assert "apprise is not installed; run in haetae's checkout: pip install -e '.[alerts]'" in report.text


def test_addresses_come_from_the_environment_alone(project: Any) -> None:
    text = project.suite.read_text()
    project.suite.write_text(text + "alert: [slack://a/b/c]\n")
    with project.bench() as bench, pytest.raises(Exception, match=r"suite\.yaml:\d+:\d+: alert"):
        bench.run(project.suite)
    assert load_settings({"HAETAE_HOME": "/x"}).alerts == ()
