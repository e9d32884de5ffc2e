"""Sentences and reports that a product manager can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from haetae.core.metric import MetricFacts
from haetae.core.run import Accounting, Run, RunStatus, Spent, Unscored
from haetae.core.verdict import Comparison, Difference, Estimate, Mover, Verdict
from haetae.workbench.by_metric import columns_in_words
from haetae.workbench.columns import aligned
from haetae.workbench.report import Report, comparison_lines, exit_code
from haetae.workbench.words import counted, figure, improvements, interval, moved, points, sentence, tolerance

Facts = Mapping[str, MetricFacts]


def _difference(metric: str = "faithful", **changed: Any) -> Difference:
    parts: dict[str, Any] = {
        "slice": "",
        "n": 500,
        "baseline": 0.9,
        "candidate": 0.859,
        "delta": -0.041,
        "low": -0.063,
        "high": -0.019,
        "margin": 0.02,
        "p_drop": 0.0004,
        "p_drop_adjusted": 0.0008,
        "p_noninferior": 0.9,
        "verdict": Verdict.REGRESSION,
    }
    return Difference(metric, **{**parts, **changed})


def test_a_drop_reads_as_one_would_say_it(facts: Facts) -> None:
    assert moved(_difference(), facts["faithful"]) == "faithful fell by 4.1 points (95 % interval 1.9 to 6.3)"
    said = sentence(Verdict.REGRESSION, [_difference()], facts)
    assert said == "faithful fell by 4.1 points (95 % interval 1.9 to 6.3); this is not noise. Tolerance: 2 points."


def test_what_is_as_before_neither_fell_nor_rose(facts: Facts) -> None:
    same = _difference(delta=0.0, low=-0.02, high=0.02)
    assert moved(same, facts["faithful"]) == "faithful did not change (95 % interval -2.0 to 2.0)"


def test_points_are_of_100_whatever_the_scale(facts: Facts) -> None:
    assert points(3.0, facts["bleu"]) == points(0.03, facts["faithful"]) == "3.0 points"
    assert points(0.004, facts["cost"], sign=True) == "+0.004"


def test_a_cost_that_rises_is_worse_and_one_that_falls_is_better(facts: Facts) -> None:
    dearer = _difference("cost", delta=0.004, low=0.001, high=0.007)
    assert moved(dearer, facts["cost"]) == "cost rose by 0.004 (95 % interval 0.001 to 0.007)"
    cheaper = _difference("cost", delta=-0.004, low=-0.007, high=-0.001)
    assert moved(cheaper, facts["cost"]) == "cost fell by 0.004 (95 % interval 0.001 to 0.007), an improvement"


def test_an_interval_is_told_as_far_as_the_scale_goes(facts: Facts) -> None:
    wide = _difference(delta=-0.5, low=-1.844, high=1.844)
    assert interval(wide, facts["faithful"]) == "-100.0 to +100.0 points"
    assert moved(wide, facts["faithful"]) == "faithful fell by 50.0 points (95 % interval -100.0 to 100.0)"
    assert interval(_difference("cost", low=-7.0, high=9.0), facts["cost"]) == "-7 to +9"  # an open scale has no ends


def test_a_slice_that_fell_most_is_named(facts: Facts) -> None:
    found = [
        _difference(),
        _difference(slice="language=en", n=250, delta=-0.02),
        _difference(slice="language=ko", n=250, delta=-0.2),
    ]
    assert "mostly in language=ko" in sentence(Verdict.REGRESSION, found, facts)
    alike = [_difference(), *(_difference(slice=f"language={name}", n=200) for name in ("en", "ko"))]
    assert "mostly" not in sentence(Verdict.REGRESSION, alike, facts)  # it fell as much everywhere
    only = sentence(Verdict.REGRESSION, [_difference(slice="language=ko")], facts)
    assert only.startswith("faithful in language=ko fell by 4.1 points")


def test_every_metric_that_fell_is_named_also_where_only_a_slice_of_it_did(facts: Facts) -> None:
    """The largest fall of all must not hide in the table because another metric fell as a whole."""
    found = [
        _difference(),
        _difference("bleu", verdict=Verdict.PASS, delta=-0.5, low=-1.0, high=0.1, margin=5.0),
        _difference("bleu", slice="language=en", delta=-8.0, low=-12.0, high=-4.0, margin=5.0),
        _difference("bleu", slice="language=ko", delta=-66.0, low=-74.0, high=-56.0, margin=5.0),
    ]
    said = sentence(Verdict.REGRESSION, found, facts)
    assert said == (
        "faithful fell by 4.1 points (95 % interval 1.9 to 6.3); "
        "bleu in language=ko fell by 66.0 points (95 % interval 56.0 to 74.0); "
        "this is not noise. Tolerance: faithful 2 points, bleu 5 points."
    )


def test_a_slice_of_all_samples_is_not_where_a_metric_fell_mostly(facts: Facts) -> None:
    found = [_difference(), _difference(slice="language=ko")]
    assert "mostly" not in sentence(Verdict.REGRESSION, found, facts)


def test_a_proven_drop_whose_interval_holds_zero_says_how_often_chance_does_this(facts: Facts) -> None:
    """One-sided tests decide; the 95 % interval beside them has two sides, and would contradict "this is not noise"."""
    open_ = _difference(delta=-0.118, low=-0.242, high=0.006, margin=0.15, p_drop_adjusted=0.047)
    assert sentence(Verdict.REGRESSION, [open_], facts) == (
        "faithful fell by 11.8 points (95 % interval -0.6 to 24.2); chance alone does this in 4.7 % of unchanged "
        "comparisons (one-sided p = 0.047). Tolerance: 15 points; not proven to stay within it: faithful."
    )
    floor = replace(open_, note="below the floor", p_drop_adjusted=0.4)
    assert "below the floor; this is not noise. Tolerance: 15 points." in sentence(Verdict.REGRESSION, [floor], facts)


def test_a_drop_below_its_tolerance_says_that_it_is_not_proven_to_stay_there(facts: Facts) -> None:
    small = _difference(margin=0.05)
    assert sentence(Verdict.REGRESSION, [small], facts).endswith(
        "this is not noise. Tolerance: 5 points; not proven to stay within it: faithful."
    )
    cost = _difference("cost", delta=0.004, low=0.001, high=0.007, margin=0.005)
    assert sentence(Verdict.REGRESSION, [cost], facts).endswith("; not proven to stay within it: cost.")
    assert "not proven" not in sentence(Verdict.REGRESSION, [replace(cost, margin=0.003)], facts)


def test_a_pass_whose_interval_reaches_beyond_the_tolerance_says_what_proves_it(facts: Facts) -> None:
    wide = _difference(verdict=Verdict.PASS, delta=0.0, low=-0.154, high=0.154, margin=0.15, p_noninferior=0.027, n=24)
    why = (
        " The 95 % interval of faithful reaches beyond the tolerance: it has two sides, and the one-sided test that "
        "decides proves the tolerance kept (p = 0.027)."
    )
    assert sentence(Verdict.PASS, [wide], facts).endswith(f"(1 comparison).{why}")
    assert columns_in_words(Verdict.PASS, [wide], facts).endswith(why)
    cheaper = _difference("cost", verdict=Verdict.PASS, delta=-0.01, low=-0.02, high=0.001, margin=0.005)
    assert "reaches" not in sentence(Verdict.PASS, [cheaper], facts)


def test_what_withholds_a_pass_is_said_where_the_interval_lies_within_the_tolerance(facts: Facts) -> None:
    rare = _difference(
        verdict=Verdict.INCONCLUSIVE, delta=-0.028, low=-0.085, high=0.03, margin=0.15, p_noninferior=0.053, n=24
    )
    assert sentence(Verdict.INCONCLUSIVE, [replace(rare, needed=25)], facts) == (
        "Not proven either way: faithful may have got worse by more than the tolerance, or not. The 95 % interval of "
        "faithful lies within the tolerance, but 24 samples cannot rule out a rare harm (one-sided p = 0.053). About "
        "1 more sample would settle it."
    )
    at_its_floor = replace(rare, note="floor not settled", p_noninferior=0.001)
    assert sentence(Verdict.INCONCLUSIVE, [at_its_floor], facts) == (
        "Not proven either way: faithful may be beyond the declared floor or ceiling, or not."
    )


def test_a_sudden_improvement_is_a_warning_unless_the_scale_is_open(facts: Facts) -> None:
    """A broken extractor looks like progress; a cost that fell is what it seems."""
    better = _difference(slice="language=ko", verdict=Verdict.PASS, delta=0.2, note="significant improvement")
    cheaper = _difference("cost", verdict=Verdict.PASS, delta=-0.01, note="significant improvement")
    assert improvements([better, cheaper], facts) == [
        "faithful[language=ko]: improved by 20.0 points, more than chance explains: check that nothing broke the "
        "measurement"
    ]


def test_a_pass_says_why_unproven_slices_do_not_withhold_it(run: Run) -> None:
    whole = _difference(verdict=Verdict.PASS, delta=0.0, low=-0.01, high=0.01)
    open_ = _difference(slice="language=ko", verdict=Verdict.INCONCLUSIVE, n=30)
    passed = _comparison(verdict=Verdict.PASS, differences=(whole, open_))
    why = "A pass rests on whole metrics: a slice can fail the gate by a proven drop, but cannot withhold a pass."
    assert f"  {why}" in comparison_lines(passed, run.manifest.metrics)
    assert why not in "\n".join(comparison_lines(replace(passed, differences=(whole,)), run.manifest.metrics))


def test_samples_that_an_early_decision_left_out_were_not_asked(run: Run) -> None:
    left_out = (Accounting("faithful", 24, 6),)
    decided = Report(run, (), left_out, Spent(), _comparison(note="decided at look 2 of 8, after 6 of 24 samples"))
    assert decided.holes == ["faithful: 6 of 24 scored; not asked 18 (the gate had decided)"]
    stopped = replace(decided, run=replace(run, status=RunStatus.STOPPED))
    assert stopped.holes == ["faithful: 6 of 24 scored; not run 18"]


def test_a_pass_that_errors_withhold_is_not_put_down_to_a_slice(facts: Facts) -> None:
    found = [_difference(verdict=Verdict.PASS), _difference(slice="language=ko", verdict=Verdict.INCONCLUSIVE)]
    said = sentence(Verdict.INCONCLUSIVE, found, facts)
    assert said == "The numbers would pass, but errors on one side withhold it."
    assert "faithful in language=ko may have got worse" in sentence(Verdict.INCONCLUSIVE, found[1:], facts)


def test_a_broken_floor_is_said(facts: Facts) -> None:
    floor = _difference(margin=None, note="below the floor", low=None, high=None)
    said = sentence(Verdict.REGRESSION, [floor], facts)
    assert "below the floor" in said
    assert tolerance(floor, facts["faithful"]) == "none declared"


def test_what_is_not_proven_says_how_many_more_samples_settle_it(facts: Facts) -> None:
    open_ = _difference(verdict=Verdict.INCONCLUSIVE, needed=900)
    assert sentence(Verdict.INCONCLUSIVE, [open_], facts) == (
        "Not proven either way: faithful may have got worse by more than the tolerance, or not. "
        "About 400 more samples would settle it."
    )
    assert "more samples" not in sentence(Verdict.INCONCLUSIVE, [replace(open_, needed=None)], facts)
    assert "errors on one side" in sentence(Verdict.INCONCLUSIVE, [], facts)


def test_no_verdict_never_reads_as_a_pass(facts: Facts) -> None:
    none = _difference(verdict=Verdict.NO_VERDICT, delta=None, note="not tested: no sample is scored on both sides")
    assert sentence(Verdict.NO_VERDICT, [none], facts) == f"Nothing can be said: {none.note}."
    assert sentence(Verdict.NO_VERDICT, [], facts) == "Nothing can be said: no sample is scored on both sides."


def test_a_pass_says_what_was_tolerated(facts: Facts) -> None:
    fine = _difference(verdict=Verdict.PASS, delta=0.0, low=-0.01, high=0.01)
    assert sentence(Verdict.PASS, [fine], facts) == "Nothing got worse by more than its tolerance (1 comparison)."
    assert "(2 comparisons)" in sentence(Verdict.PASS, [fine, fine], facts)
    assert sentence(Verdict.PASS, [replace(fine, note="tolerated drop")], facts).startswith(
        "Within tolerance: faithful"
    )


@pytest.fixture
def run(a_run: Callable[..., Run], manifest: Any, facts: Facts) -> Run:
    return a_run(manifest(metrics=dict(facts)), faithful=[1.0, 0.0])


def _comparison(**changed: Any) -> Comparison:
    parts: dict[str, Any] = {"verdict": Verdict.REGRESSION, "reason": "faithful fell.", "differences": (_difference(),)}
    return Comparison("bot", "bot.2", ("bot.1", "bot.0"), **{**parts, **changed})


def test_a_comparison_in_lines_names_everything(run: Run) -> None:
    said = _comparison(
        changed=("target.prompt: ask@1 → ask@2",),
        moved=("prompt",),
        warnings=("faithful: more samples are unscored",),
        movers=(Mover("s\x1b1", "faithful", 1.0, 0.0), Mover("질문", "faithful", 1.0, 0.0)),
        restricted=True,
        differences=(
            _difference(),
            _difference("cost", delta=None, low=None, high=None, verdict=Verdict.NO_VERDICT, note="not tested"),
            _difference("bleu", low=None, high=None, p_drop_adjusted=None, margin=None, verdict=Verdict.PASS),
        ),
    )
    text = "\n".join(comparison_lines(said, run.manifest.metrics))
    for part in (
        "✗ REGRESSION  against bot.1 and 1 quiet run like it",
        "only their common samples were compared",
        "-4.1 points  -6.3 to -1.9 points  2 points",
        "<0.001",
        "changed  target.prompt: ask@1 → ask@2",
        "what moved: prompt",
        "! faithful: more samples are unscored",
        "s\\x1b1  faithful 1 → 0",
        "질문  faithful 1 → 0",
        "not tested",
        "none declared",
    ):
        assert part in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("verdict", "code", "strict"),
    [(Verdict.PASS, 0, 0), (Verdict.REGRESSION, 1, 1), (Verdict.INCONCLUSIVE, 0, 3), (Verdict.NO_VERDICT, 3, 3)],
)
def test_verdicts_exit(verdict: Verdict, code: int, strict: int, run: Run) -> None:
    assert (exit_code(verdict, False), exit_code(verdict, True)) == (code, strict)
    report = Report(run, (), (), Spent(), _comparison(verdict=verdict))
    assert (report.exit_code, report.exit_code_when(strict=True)) == (code, strict)
    stopped = replace(report, run=replace(run, status=RunStatus.STOPPED))
    assert stopped.exit_code == 3


def test_a_report_shows_its_holes_and_what_it_spent(run: Run) -> None:
    estimates = (
        Estimate("faithful", "", 0.9, 0.85, 0.95, 90, 90, 8),
        Estimate("faithful", "language=ko", 0.9, None, None, 1, 1, 0),
        Estimate("cost", "", None, None, None, 0, 0, 100),
    )
    accounting = (Accounting("faithful", 100, 90, {"timeout": 3, "judge_failed": 5}), Accounting("cost", 100, 100))
    noted = replace(run, note="interrupted")
    spent = Spent(120, 5_000, 0.25, 7, 3, 9)
    text = Report(noted, estimates, accounting, spent, notes=("mlflow: runs:/1",)).text
    for part in (
        "bot.1  finished  d (200 samples, sha256:dddddddddddd)",
        "interrupted",
        "ask = ask@1",
        "0.85 to 0.95",
        "faithful: 90 of 100 scored; judge_failed 5, timeout 3, not run 2",
        "$0.2500 and 7 calls of unknown price",
        "3 answers reused, 9 retried",
        "mlflow: runs:/1",
    ):
        assert part in text
    assert "cost: 100 of 100" not in text
    alike = (Accounting("faithful", 100, 40), Accounting("cost", 100, 90), Accounting("bleu", 100, 40))
    assert Report(run, (), alike, spent).holes == [
        "faithful, bleu: 40 of 100 scored; not run 60",
        "cost: 90 of 100 scored; not run 10",
    ]
    lacking = (
        Unscored("faithful", "judge_failed", 5, "s3", "HTTP 400: no such model"),
        Unscored("bleu", "missing_reference", 2, "s4", None),
        Unscored("chrf", "missing_reference", 2, "s4", None),
    )
    shown = Report(run, estimates, accounting, spent, unscored=lacking)
    assert "\n  faithful: judge_failed 5, e.g. s3: HTTP 400: no such model\n" in shown.text
    assert "\n  bleu, chrf: missing_reference 2, e.g. s4\n" in shown.text
    assert shown.as_json()["unscored"][0]["example"] == {"sample_id": "s3", "explanation": "HTTP 400: no such model"}
    assert "1 call, 9 tokens, cost unknown; " in Report(run, (), (), Spent(calls=1, tokens=9)).text
    assert "no calls, nothing spent; 7 answers reused" in Report(run, (), (), Spent(reused=7)).text
    reused = Report(run, (), (), Spent(reused=1000, saved_usd=0.064))
    assert "no calls, nothing spent; 1,000 answers reused (they had cost $0.0640)" in reused.text
    assert Report(run, (), (), Spent(reused=7)).as_json()["spent"]["cost_usd"] == 0
    assert Report(run, (), (), Spent(calls=1, cost_usd=0.1 + 0.2)).as_json()["spent"]["cost_usd"] == 0.3
    assert Report(run, (), (), Spent()).verdict is None
    assert Report(run, (), (), Spent()).exit_code == 0
    assert Report(run, estimates, accounting, spent).as_json()["accounting"][0]["not_run"] == 2


def test_a_report_shows_its_slices_below_their_metric_unless_they_are_too_many(run: Run) -> None:
    wholes = [Estimate("faithful", "", 0.9, 0.85, 0.95, 90, 90, 8), Estimate("cost", "", 0.1, None, None, 90, 90, 0)]
    slices = [Estimate("faithful", f"topic={n}", 0.5, None, None, 9, 9, 0) for n in range(41)]
    lines = Report(run, [wholes[0], *slices[:2], wholes[1]], (), Spent()).text.splitlines()
    assert [line.split()[0] for line in lines if " 0." in line] == ["faithful", "topic=0", "topic=1", "cost"]
    many = Report(run, [wholes[0], *slices, wholes[1]], (), Spent()).text
    assert "topic=0" not in many
    assert "and 41 numbers of slices: haetae show bot.1 --json" in many


def test_the_json_of_a_report_has_the_facts_of_its_metrics(run: Run) -> None:
    facts = Report(run, (), (), Spent()).as_json()["metrics"]
    assert facts == {name: each.as_json() for name, each in run.manifest.metrics.items()}


def test_one_of_a_thing_is_no_plural(run: Run) -> None:
    assert [counted(number, "sample") for number in (0, 1, 1200)] == ["0 samples", "1 sample", "1,200 samples"]
    assert Report(run, (), (), Spent(1, 1, 0.5, 1, 1, 1)).spent_line == (
        "1 call, 1 token, $0.5000 and 1 call of unknown price; 1 answer reused, 1 retried"
    )


def test_a_run_without_a_single_score_is_no_success(run: Run) -> None:
    none = (Accounting("right", 4, 0, {"metric_raised": 4}), Accounting("near", 4, 0, {"not_generated": 4}))
    report = Report(run, (), none, Spent())
    assert report.verdict is None
    assert report.exit_code == 3
    assert "\n  nothing was scored\n" in report.text
    one = Report(run, (), (*none, Accounting("long", 4, 1)), Spent())
    assert one.exit_code == 0
    assert "nothing was scored" not in one.text


@pytest.mark.parametrize("sample_id", ["::add-mask::x", "##[group]x"])
def test_no_sample_id_is_a_command_to_a_ci_runner(run: Run, sample_id: str) -> None:
    said = _comparison(differences=(_difference(),), movers=(Mover(sample_id, "faithful", 1.0, 0.0),))
    lines = [line.strip() for line in comparison_lines(said, run.manifest.metrics)]
    assert any(line.startswith(f"'{sample_id}'  faithful") for line in lines)
    assert not any(line.startswith(("::", "##[")) for line in lines)


def test_figures_have_four_digits_and_small_ones_no_exponent() -> None:
    shown = {None: "none", 0.69931: "0.6993", 26.6345: "26.63", 9.8912e-05: "0.00009891", 0.0: "0", 3e-9: "3e-09"}
    assert {value: figure(value) for value in shown} == shown


def test_columns_are_aligned_where_letters_are_wide() -> None:
    assert aligned(("a", "b"), [("한국어", "1"), ("x", "2")]) == ["a       b", "한국어  1", "x       2"]
