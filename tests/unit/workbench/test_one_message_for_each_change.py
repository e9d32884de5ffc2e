"""What people are told of: each change of a suite once, however long it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from haetae.core.alert import AlertKind, LastTold, last_told_from_json
from haetae.core.metric import MetricFacts
from haetae.core.run import Accounting, Manifest, Run, RunStatus, Spent
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.stats.monitor import Alarm
from haetae.workbench.alerts.changes import Change, alerts_people, changes, kinds_of
from haetae.workbench.alerts.texts import alert_of
from haetae.workbench.report import Report
from haetae.workbench.watch import Watched

AT = datetime(2026, 3, 1, 6, tzinfo=UTC)
REGRESSION, RECOVERY, NO_VERDICT, MISSED, BUDGET, ALARM = AlertKind


def _column(metric: str, part: str, verdict: Verdict) -> Difference:
    return Difference(metric, part, 100, 0.8, 0.7, -0.1, -0.15, -0.05, 0.02, 0.001, 0.002, 0.9, verdict)


def _report(number: int, verdict: Verdict | None = Verdict.PASS, *fallen: str, **run: Any) -> Report:
    """Run `number` of a suite with this verdict, in which these columns fell."""
    facts = {name: MetricFacts(name, "1", low=0.0, high=1.0) for name in ("faithful", "rouge")}
    columns = [_column(name, part, Verdict.REGRESSION) for name, _, part in (text.partition("/") for text in fallen)]
    passing = [_column(name, "", Verdict.PASS) for name in facts if name not in fallen]
    manifest = Manifest({"suite": "bot", "gate": {"metrics": {name: {} for name in facts}}}, {}, {}, facts)
    tags = {"due": f"night {number}", **run.pop("tags", {})}
    made = Run(f"bot.{number}", "bot", number, RunStatus.FINISHED, manifest, 100, AT, tags=tags)
    said = None
    if verdict is not None:
        differences = (*columns, *passing)
        said = Comparison("bot", made.id, ("bot.1",), verdict, "because", differences=differences)
    return Report(replace(made, **run), (), (Accounting("rouge", 100, 100),), Spent(), said)


def _told(nights: Sequence[Report], kinds: Sequence[str] | None = None) -> list[list[AlertKind]]:
    """What people are told each night."""
    known, out = LastTold(), []
    for report in nights:
        known, found = changes(known, report, kinds_of(kinds))
        out.append([change.kind for change in found])
    return out


def test_a_regression_of_ten_nights_is_one_message_and_its_end_is_one() -> None:
    nights = [
        _report(n, *([Verdict.REGRESSION, "faithful"] if 11 <= n <= 20 else [Verdict.PASS])) for n in range(1, 31)
    ]
    told = _told(nights)
    assert [(night + 1, kinds) for night, kinds in enumerate(told) if kinds] == [(11, [REGRESSION]), (21, [RECOVERY])]


def _watched(report: Report, metric: str, raised: int, recovered: int | None = None) -> Report:
    """The same with an alarm of a metric that run `raised` raised, and that ended with run `recovered`."""
    ended = None if recovered is None or recovered > report.run.number else f"bot.{recovered}"
    alarm = Alarm(f"bot.{raised}", f"bot.{raised - 1}", -0.05, 0.001, (), ended)
    sentence = f"{metric} of bot fell by 5.0 points since bot.{raised - 1}; changed there: target"
    watched = Watched("bot", metric, alarm, newest=raised == report.run.number, sentence=sentence)
    return replace(report, alarms=[*(report.alarms or ()), watched] if report.run.number >= raised else ())


def test_an_alarm_of_the_watch_is_told_once_where_every_night_is_within_the_tolerance_and_so_is_its_end() -> None:
    nights = [_watched(_report(n), "rouge", 3, recovered=7) for n in range(1, 10)]
    assert _told(nights) == [[], [], [ALARM], [], [], [], [RECOVERY], [], []]
    known, found = changes(LastTold(2), nights[2])
    assert found == (Change(ALARM, ("rouge",)),)
    assert changes(known, nights[2]) == (known, ())  # reported again, nothing is new
    text = alert_of(found[0], nights[2])
    assert text.title == "✗ Fell over the nights: bot: rouge"
    assert "monitor: rouge of bot fell by 5.0 points since bot.2; changed there: target" in text.text


def test_the_end_of_an_alarm_is_told_on_a_night_without_a_decision_and_waits_for_what_else_fell() -> None:
    nights = [_watched(_report(n, Verdict.INCONCLUSIVE), "rouge", 2, recovered=4) for n in range(1, 6)]
    assert _told(nights) == [[], [ALARM], [], [RECOVERY], []]
    fell = (Verdict.REGRESSION, "faithful")
    nights = [_watched(_report(n, *fell), "rouge", 1, recovered=2) for n in (1, 2)]
    assert _told([*nights, _watched(_report(3), "rouge", 1, recovered=2)]) == [[REGRESSION, ALARM], [], [RECOVERY]]


def test_a_drop_that_gate_and_watch_both_find_is_told_by_the_first_of_them() -> None:
    fell = (Verdict.REGRESSION, "rouge")
    by_gate = [_watched(_report(n, *fell), "rouge", 3) for n in range(1, 5)]
    assert _told(by_gate) == [[REGRESSION], [], [], []]
    by_watch = [_watched(_report(n, *(fell if n > 2 else [])), "rouge", 2) for n in range(1, 5)]
    assert _told(by_watch) == [[], [ALARM], [], []]
    both = [_watched(_report(1, *fell), "rouge", 1), _watched(_report(2), "rouge", 1)]
    assert _told(both) == [[REGRESSION], []]  # a night that passes does not end an alarm that stands


def test_who_wants_alarms_alone_is_told_of_a_drop_by_its_alarm_and_who_wants_regressions_alone_by_that() -> None:
    nights = [_watched(_report(n, Verdict.REGRESSION, "rouge"), "rouge", 3) for n in range(1, 5)]
    nights.append(_watched(_report(5), "rouge", 3, recovered=5))
    assert _told(nights, ["alarm", "recovery"]) == [[], [], [ALARM], [], [RECOVERY]]
    assert _told(nights, ["regression"]) == [[REGRESSION], [], [], [], []]


def test_a_metric_that_falls_further_is_told_of_again() -> None:
    nights = [_watched(_report(n, Verdict.REGRESSION, "rouge"), "rouge", 2) for n in range(1, 6)]
    nights[3:] = [_watched(night, "rouge", 4) for night in nights[3:]]
    assert _told(nights) == [[REGRESSION], [], [], [ALARM], []]


def test_an_alarm_of_what_regressed_the_same_night_is_in_the_message_of_the_regression() -> None:
    night = _watched(_watched(_report(2, Verdict.REGRESSION, "rouge"), "rouge", 2), "faithful", 2)
    _, told = changes(LastTold(1), night)
    assert told == (Change(REGRESSION, ("rouge",)), Change(ALARM, ("faithful",)))
    assert "monitor: rouge of bot fell" in alert_of(told[0], night).text
    assert "rouge of bot fell" not in alert_of(told[1], night).text


def test_what_was_kept_before_there_were_alarms_is_read_back() -> None:
    old = {"run": 4, "fallen": ["rouge"], "silent": False, "stopped": False, "overdue": False}
    assert last_told_from_json(old) == LastTold(4, ("rouge",))
    known = LastTold(4, ("rouge",), alarmed=("faithful",))
    assert last_told_from_json(known.as_json()) == known


def test_another_metric_that_falls_meanwhile_is_another_message_and_names_what_is_new() -> None:
    known, _ = changes(LastTold(), _report(1, Verdict.REGRESSION, "faithful"))
    known, found = changes(known, _report(2, Verdict.REGRESSION, "faithful", "rouge/language=ko"))
    assert found == (Change(REGRESSION, ("rouge [language=ko]",)),)
    known, found = changes(known, _report(3, Verdict.REGRESSION, "rouge/language=ko"))
    assert found == ()  # one of two is over: the regression is not
    _, found = changes(known, _report(4))
    assert found == (Change(RECOVERY, ("faithful", "rouge [language=ko]")),)


def test_a_slice_is_part_of_its_metric_and_the_whole_is_more_than_its_slice() -> None:
    both = _report(1, Verdict.REGRESSION, "faithful", "faithful/language=ko")
    known, found = changes(LastTold(), both)
    assert found == (Change(REGRESSION, ("faithful",)),)
    assert changes(known, _report(2, Verdict.REGRESSION, "faithful", "faithful/topic=refund"))[1] == ()
    known, _ = changes(LastTold(), _report(1, Verdict.REGRESSION, "faithful/language=ko"))
    assert changes(known, both)[1] == (Change(REGRESSION, ("faithful",)),)


def test_an_inconclusive_night_neither_begins_nor_ends_anything() -> None:
    nights = [Verdict.INCONCLUSIVE, Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.REGRESSION, Verdict.PASS]
    reports = [_report(n, v, *(["rouge"] if v is Verdict.REGRESSION else [])) for n, v in enumerate(nights, 1)]
    assert _told(reports) == [[], [REGRESSION], [], [], [RECOVERY]]


def test_no_verdict_is_told_once_until_the_suite_is_well() -> None:
    none, stopped = Verdict.NO_VERDICT, {"status": RunStatus.STOPPED, "note": "the model is gone"}
    nights = [_report(1, none), _report(2, none), _report(3, None, **stopped), _report(4, Verdict.INCONCLUSIVE)]
    nights += [_report(5, none), _report(6)]
    assert _told(nights) == [[NO_VERDICT], [], [], [], [], [RECOVERY]]


def test_an_inconclusive_night_keeps_what_people_know_until_its_end_can_be_told() -> None:
    note = "the budget of $10 is used up ($9.9990 spent, the next call could exceed it). Raise budget.usd"
    open_night = _report(2, Verdict.INCONCLUSIVE)
    for first, kind in (
        (_report(1, Verdict.NO_VERDICT), NO_VERDICT),
        (_report(1, None, status=RunStatus.STOPPED, note=note), BUDGET),
    ):
        assert _told([first, open_night, _report(3)]) == [[kind], [], [RECOVERY]]
    assert changes(LastTold(1, overdue=True), open_night) == (LastTold(2, overdue=True), ())


def test_the_end_is_told_of_what_was_told_alone() -> None:
    fell = [_report(n, *([Verdict.REGRESSION, "rouge"] if n in (2, 4) else [])) for n in range(1, 6)]
    silent = [_report(n, Verdict.NO_VERDICT if n == 2 else Verdict.PASS) for n in range(1, 4)]
    for kinds in (["recovery"], ["alarm", "recovery", "missed", "budget"]):
        assert not any(_told(fell, kinds))
        assert not any(_told(silent, kinds))
    assert not any(_told([_watched(night, "rouge", 2, recovered=4) for night in silent], ["regression", "recovery"]))


def test_a_night_without_a_verdict_does_not_end_a_regression() -> None:
    fell = (Verdict.REGRESSION, "rouge")
    nights = [_report(1, *fell), _report(2, Verdict.NO_VERDICT), _report(3, *fell), _report(4)]
    assert _told(nights) == [[REGRESSION], [NO_VERDICT], [], [RECOVERY]]


def test_a_suite_without_a_gate_is_told_of_where_nothing_was_scored() -> None:
    empty = replace(_report(2, None), accounting=(Accounting("rouge", 100, 0, {"timeout": 100}),))
    assert _told([_report(1, None), empty, _report(3, None)]) == [[], [NO_VERDICT], [RECOVERY]]


def test_a_budget_is_told_once_until_a_run_ends_within_it() -> None:
    note = "the budget of $10 is used up ($9.9990 spent, the next call could exceed it). Raise budget.usd"
    over = {"status": RunStatus.STOPPED, "note": note}
    nights = [_report(1, None, **over), _report(2, None, **over), _report(3), _report(4, None, **over)]
    assert _told(nights) == [[BUDGET], [], [RECOVERY], [BUDGET]]


def test_the_run_that_stands_for_missed_times_says_so_unless_people_know() -> None:
    late = _report(2, tags={"missed": "missed: it was due 3 times since …"})
    assert _told([_report(1), late, late]) == [[], [MISSED], []]
    assert changes(LastTold(1, overdue=True), late) == (LastTold(2), (Change(RECOVERY),))
    assert "it was due 3 times" in alert_of(Change(RECOVERY), late).text


def test_a_run_that_somebody_interrupted_or_an_older_one_says_nothing() -> None:
    known = LastTold(5, ("rouge",))
    assert changes(known, _report(4)) == (known, ())
    stopped = _report(6, None, status=RunStatus.INTERRUPTED, note="interrupted; what was in flight is kept")
    assert changes(known, stopped) == (known, ())
    deadline = _report(6, None, status=RunStatus.INTERRUPTED, note="the deadline of the run was reached; …")
    assert changes(known, deadline)[1] == (Change(NO_VERDICT),)


def test_the_same_run_reported_again_says_nothing_again() -> None:
    fell = _report(3, Verdict.REGRESSION, "rouge")
    known, _ = changes(LastTold(), fell)
    assert changes(known, fell) == (known, ())


@pytest.mark.parametrize(
    ("tags", "told"), [({"due": "x"}, True), ({"alert": "asked"}, True), ({"door": "gate"}, False), ({}, False)]
)
def test_people_are_told_of_scheduled_runs_and_where_it_was_asked(tags: dict[str, str], told: bool) -> None:
    assert alerts_people(replace(_report(1).run, tags=tags)) is told


def test_what_others_wrote_is_neither_mention_nor_link_nor_markup_and_korean_stays() -> None:
    report = _report(1, Verdict.REGRESSION, "rouge/language=<!channel> @everyone http://evil 한국어 [x](y)")
    (change,) = changes(LastTold(), report)[1]
    alert = alert_of(change, report)
    for written in (alert.title, alert.text):
        assert not any(sign in written for sign in ("<", ">", "@everyone", "http://", "!channel"))
        assert "한국어" in written
    assert "&lt;!" in alert.body
    assert "@everyone" not in alert.body
    assert alert.title.startswith("✗ Regression: bot: rouge [language=")


def test_a_title_names_three_columns_and_counts_the_others() -> None:
    change = Change(REGRESSION, ("a", "b", "c", "d", "e"))
    assert alert_of(change, _report(1)).title == "✗ Regression: bot: a, b, c, 2 more columns"


def test_a_secret_that_is_known_stands_in_no_message() -> None:
    address = "slack://canary/of/an-address"
    report = _report(1, Verdict.REGRESSION, f"rouge/topic={address}")
    (change,) = changes(LastTold(), report)[1]
    alert = alert_of(change, report, (address, "canary"))
    assert "canary" not in f"{alert.title}{alert.text}{alert.body}"
