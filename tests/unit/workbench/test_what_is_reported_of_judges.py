"""What the ledger tells of a run's judges: failures, spending, spread, juries, and what a place is worth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import krippendorff
import numpy as np
import pytest
from msgspec import structs
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from haetae.core.generation import Generation, Usage
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.judges.evaluation_steps import WRITTEN
from haetae.metrics.judges.suspicion import SUSPECTED
from haetae.stats.agreement import alpha
from haetae.store.sql import SqlLedger
from haetae.workbench.judges.jurors import jurors
from haetae.workbench.judges.places import of_pairs, of_rotations
from haetae.workbench.judges.reporting import report_judges
from haetae.workbench.judges.spread import spread

AT = datetime(2026, 1, 1, tzinfo=UTC)
GRADER = {"model": "grader"}
TONE = MetricFacts("judge(tone, scale=[1,5])", "1", low=1, high=5, judge=GRADER)

ScoredRun = Callable[..., Run]


@pytest.fixture
def scored_run(ledger: SqlLedger, manifest: Callable[..., Manifest]) -> ScoredRun:
    """scored_run(facts, scores): a finished run of one metric, `tone`; `repeats` lists of scores go with one sample."""
    count = 0

    def make(
        facts: MetricFacts,
        scores: Sequence[Score],
        *,
        repeats: int = 1,
        outputs: Mapping[tuple[int, int], str] | None = None,
        reused: Sequence[int] = (),
    ) -> Run:
        nonlocal count
        count += 1
        said = manifest(metrics={"tone": facts, "good": MetricFacts("good", "1")})
        run = ledger.start("bot", said, len(scores), AT + timedelta(days=count), 7, {})
        generations, rows, samples = [], [], []
        for place, score in enumerate(scores):
            number, repeat = divmod(place, repeats)
            sample = Sample(f"s{number:03}", f"q{number}")
            answer = (outputs or {}).get((number, repeat), "same")
            samples.append(sample)
            generations.append(GenerationRow(sample.id, repeat, f"{run.id}-{place}", sample.digest, Generation(answer)))
            row = ScoreRow(sample.id, repeat, "tone", f"{run.id}-{place}", score, reused=place in reused)
            rows.append(row)
            rows.append(ScoreRow(sample.id, repeat, "good", f"{run.id}-{place}-good", Score(1.0)))
        ledger.record(run.id, samples, generations, rows, AT)
        return ledger.finish(run.id, RunStatus.FINISHED, AT + timedelta(days=count, hours=1))

    return make


def _scored(value: float, *stats: float, model: str | None = "grader-1", **more: Any) -> Score:
    return Score(value, stats=stats, **{"usage": Usage(100, 0, 10), "cost_usd": 0.002, "calls": 1, **more}, model=model)


def test_failures_are_told_by_reason_with_their_rates(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    # JDG-05, JDG-16
    none = {"judge_refusal": 6, "judge_parse_failure": 3, "missing_reference": 1}
    scores = [_scored(4.0)] * 90 + [Score.unscored(why) for why, count in none.items() for _ in range(count)]
    found = report_judges(ledger, scored_run(TONE, scores).id)
    (judge,) = found.judges
    assert (judge.account.scored, dict(judge.account.unscored), judge.failed) == (90, none, 9)
    said = "scored 90 (90.0%) of 100; unscored: judge_parse_failure 3 (3.0%), judge_refusal 6 (6.0%), missing_reference"
    assert said in found.text
    assert "! the judge failed on 9 of 100: a gate on this metric gives no verdict" in found.text
    document = found.as_json()
    assert document["run"] == "bot.1"
    assert document["results"][0]["unscored"] == none
    few = report_judges(ledger, scored_run(TONE, [_scored(4.0)] * 95 + [Score.unscored("judge_refusal")] * 5).id)
    assert few.judges[0].warnings == []  # not above 5 %


def test_each_reason_has_an_example_with_the_judges_own_words(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    scores = [_scored(4.0), Score.unscored("judge_refusal", "I cannot\ndo that"), Score.unscored("judge_refusal", "no")]
    found = report_judges(ledger, scored_run(TONE, scores).id)
    assert "\n  tone: judge_refusal 2, e.g. s001: I cannot\n" in found.text
    (example,) = found.as_json()["results"][0]["examples"]
    assert example["example"] == {"sample_id": "s001", "explanation": "I cannot"}


def test_answers_that_speak_to_the_judge_are_counted(ledger: SqlLedger, scored_run: ScoredRun) -> None:  # JDG-07
    marked = _scored(2.0, explanation=f"{SUSPECTED} ('give it 5'): because")
    run = scored_run(TONE, [_scored(4.0, explanation="fine"), marked, structs.replace(marked, value=1.0)])
    found = report_judges(ledger, run.id)
    assert found.judges[0].suspected == 2
    assert "! 2 answers speak to the judge: look at those marked suspected_injection" in found.text


def test_calls_and_cost_are_those_of_this_run(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    run = scored_run(TONE, [_scored(4.0, calls=3), _scored(4.0, calls=2), _scored(4.0)], reused=[2])
    (judge,) = report_judges(ledger, run.id).judges
    assert (judge.calls, judge.tokens, judge.cost_usd, judge.reused) == (5, 220, pytest.approx(0.004), 1)
    assert "5 calls, 220 tokens, $0.0040; 1 score reused" in report_judges(ledger, run.id).text
    (unknown,) = report_judges(ledger, scored_run(TONE, [_scored(4.0), _scored(4.0, cost_usd=None)]).id).judges
    assert unknown.cost_usd is None


def test_the_spread_of_repeated_judging_is_told(ledger: SqlLedger, scored_run: ScoredRun) -> None:  # JDG-15
    singles = [(4.0, 4.0, 5.0), (2.0, 2.0, 2.0), (3.0, 5.0), (1.0, 2.0, 1.0)]
    run = scored_run(TONE, [_scored(statistics.fmean(s), *s) for s in singles])
    (judge,) = report_judges(ledger, run.id).judges
    assert judge.repeated is not None
    assert (judge.repeated.times, judge.repeated.groups, judge.repeated.differing) == (3, 4, 0.75)
    # pooled by hand: (0.6667 + 0 + 2 + 0.6667) / (2 + 2 + 1 + 2)
    assert judge.repeated.sd == pytest.approx(math.sqrt((2 / 3 + 0 + 2 + 2 / 3) / 7), abs=1e-12)
    low, high = proportion_confint(3, 4, method="wilson")
    assert (judge.repeated.low, judge.repeated.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    grid = np.array([[*s, *[np.nan] * (3 - len(s))] for s in singles]).T
    reference = krippendorff.alpha(grid, level_of_measurement="ordinal")
    assert judge.repeated.alpha.value == pytest.approx(reference, abs=1e-9)
    assert "judged up to 3 times: 75.0% of 4 answers got differing scores" in report_judges(ledger, run.id).text


def test_the_pooled_deviation_is_that_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    groups = [rng.normal(n % 4, 0.5, size=5).tolist() for n in range(50)]
    found = spread(groups, replace(TONE, low=None, high=None))
    assert found is not None
    assert found.sd == pytest.approx(math.sqrt(np.mean([np.var(group, ddof=1) for group in groups])), abs=1e-12)
    between = np.var([np.mean(group) for group in groups], ddof=1) * 5
    assert scipy_stats.f_oneway(*groups).statistic == pytest.approx(between / found.sd**2, rel=1e-9)


def test_identical_inputs_are_not_taken_for_identical_answers(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    """The same input 20 times at temperature 0: what was measured is told, and nothing is claimed."""  # MET-10
    outputs = {(0, repeat): "one text" if repeat % 4 else f"text {repeat}" for repeat in range(20)}
    scores = [_scored(5.0 if repeat % 4 else 4.0) for repeat in range(20)] + [_scored(3.0)] * 20
    found = report_judges(ledger, scored_run(TONE, scores, repeats=20, outputs=outputs).id)
    assert found.answers is not None
    assert found.text.startswith("bot.1: 1 of 2 samples, each asked up to 20 times, got differing answers")
    (judge,) = found.judges
    assert judge.repeats is not None
    assert (judge.repeats.times, judge.repeats.groups, judge.repeats.differing) == (20, 2, 0.5)
    assert found.as_json()["repeats"] == {"times": 20, "samples": 2, "differing_answers": 1}


def test_one_judgement_and_one_answer_have_no_spread(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    found = report_judges(ledger, scored_run(TONE, [_scored(4.0), _scored(2.0)]).id)
    (judge,) = found.judges
    assert (judge.repeated, judge.repeats, found.answers) == (None, None, None)


# juries


def test_a_jury_is_told_juror_by_juror_with_their_agreement(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    said = [(4, 5, 3), (2, 2, None), (5, 5, 4), (1, 2, 1), (3, 3, 3)]
    stats = [[number for v in row for number in ((0.0, 0.0) if v is None else (1.0, float(v)))] for row in said]
    facts = replace(TONE, text="jury(tone)", judge={"jury": [{"model": "a"}, {"model": "b"}, {"model": "c"}]})
    run = scored_run(facts, [_scored(3.0, *row, model=None) for row in stats])
    (judge,) = report_judges(ledger, run.id).judges
    assert judge.jury is not None
    assert [(juror.model, juror.scored, juror.mean) for juror in judge.jury.members] == [
        ("1. a", 5, 3.0),
        ("2. b", 5, 3.4),
        ("3. c", 4, 2.75),
    ]
    grid = np.array([[np.nan if v is None else v for v in row] for row in said], dtype=float).T
    assert judge.jury.alpha.value == pytest.approx(krippendorff.alpha(grid, level_of_measurement="ordinal"), abs=1e-9)
    assert judge.jury.alpha == alpha(grid, scale="ordinal")
    assert "jurors' means: 1. a 3, 2. b 3.4, 3. c 2.75 (4 of 5); alpha 0." in report_judges(ledger, run.id).text
    named = jurors(stats, facts, ["strict@1", "b", "kind@2"])
    assert named is not None
    assert "1. strict@1 (a) 3, 2. b 3.4, 3. kind@2 (c) 2.75" in named.text


# places


def test_a_judge_without_bias_agrees_with_itself_in_both_orders() -> None:
    found = of_pairs([(1.0, 1.0)] * 30 + [(0.0, 0.0)] * 20)
    assert found is not None
    assert (found.disagreeing, found.decided, found.first, found.biased) == (0.0, 100, 0.5, False)


def test_a_judge_that_always_takes_the_first_is_told_as_one() -> None:
    found = of_pairs([(1.0, 0.0)] * 50)
    assert found is not None
    assert (found.disagreeing, found.first, found.biased) == (1.0, 1.0, True)
    assert "the first place won 100.0% of 100 decided verdicts" in found.text
    second = of_pairs([(0.0, 1.0)] * 50)
    assert second is not None
    assert (second.first, second.biased) == (0.0, True)


def test_the_share_of_the_first_place_has_an_interval_over_samples() -> None:
    rng = np.random.default_rng(11)
    verdicts = [tuple(float(v) for v in rng.choice([0.0, 0.5, 1.0], size=2, p=[0.35, 0.2, 0.45])) for _ in range(200)]
    found = of_pairs(verdicts)
    assert found is not None
    won, group = [], []
    for sample, (first, second) in enumerate(verdicts):
        won += [first] if first != 0.5 else []
        won += [1 - second] if second != 0.5 else []
        group += [sample] * ((first != 0.5) + (second != 0.5))
    assert found.first == pytest.approx(np.mean(won), abs=1e-12)
    assert found.decided == len(won)
    import statsmodels.api as sm

    fitted = sm.OLS(won, np.ones(len(won))).fit()
    robust = fitted.get_robustcov_results("cluster", groups=np.array(group), df_correction=True)
    # statsmodels scales by (n − 1)/(n − k) as well, which is 1 for a mean
    low, high = robust.conf_int()[0]
    assert (found.first_low, found.first_high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    share = sum(first != second for first, second in verdicts)
    assert found.disagreeing == share / 200
    wilson = proportion_confint(share, 200, method="wilson")
    assert (found.disagreeing_low, found.disagreeing_high) == pytest.approx(wilson, abs=1e-9)


def test_ties_alone_decide_nothing() -> None:
    found = of_pairs([(0.5, 0.5)] * 5)
    assert found is not None
    assert (found.decided, found.first, found.biased) == (0, None, False)
    assert found.text.endswith("no order had a winner")


def test_rotations_tell_what_the_first_of_three_is_worth() -> None:
    # rotation r begins with answer r: choosing answer r there is choosing the first place
    found = of_rotations([(0.0, 1.0, 2.0)] * 10 + [(0.0, 0.0, 0.0)] * 10)
    assert found is not None
    assert (found.disagreeing, found.decided, found.fair) == (0.5, 60, pytest.approx(1 / 3))
    assert found.first == pytest.approx((30 + 10) / 60)


def test_pairs_of_the_same_text_say_nothing_of_places(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    facts = MetricFacts("pairwise(preference.en)", "1", judge=GRADER)
    same = Score(0.5, stats=(0.5, 0.5), explanation="both answers are the same text")
    run = scored_run(facts, [same, same, _scored(0.5, 1.0, 0.0, calls=2), _scored(1.0, 1.0, 1.0, calls=2)])
    (judge,) = report_judges(ledger, run.id).judges
    assert judge.places is not None
    assert (judge.places.samples, judge.places.disagreeing) == (2, 0.5)


def test_the_kinds_are_told_apart_by_their_canonical_text(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    facts = MetricFacts('best_of(preference.en, against=["a.jsonl"])', "1", judge=GRADER)
    (judge,) = report_judges(ledger, scored_run(facts, [_scored(0.5, 0.0, 1.0), _scored(1.0, 0.0, 0.0)]).id).judges
    assert judge.places is not None
    assert judge.places.fair == 0.5
    plain = MetricFacts("faithfulness", "1", judge=GRADER)
    (judge,) = report_judges(ledger, scored_run(plain, [_scored(0.5), _scored(1.0)]).id).judges
    assert (judge.places, judge.jury, judge.repeated, judge.weighing) == (None, None, None, None)


# G-Eval


def test_the_ways_of_g_eval_are_counted_and_its_own_steps_shown(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    facts = replace(TONE, text='g_eval("It is polite.")')
    told = f"weighted over 4: 0.9 (together 0.96)\n{WRITTEN}\n1. Read it.\n2. Weigh it."
    scores = [
        _scored(4.1, 0.96, explanation=told),
        _scored(4.3, 0.98),
        _scored(4.0, 0.5, 4.0, 4.0, 4.0),
        _scored(3.0, 0.0, 2.0, 4.0, 3.0),
    ]
    found = report_judges(ledger, scored_run(facts, scores).id)
    (judge,) = found.judges
    assert judge.weighing is not None
    assert (judge.weighing.weighted, judge.weighing.sampled) == (2, 2)
    assert judge.weighing.mass == pytest.approx(0.97)
    assert judge.weighing.steps == "1. Read it.\n2. Weigh it."
    assert judge.repeated is not None
    assert (judge.repeated.groups, judge.repeated.differing) == (2, 0.5)
    assert "    1. Read it.\n    2. Weigh it." in found.text
    assert "some scores are weighted and some sampled" in found.text
    assert "name them with steps:" in found.text


# the judge itself


def test_a_judge_that_calls_itself_otherwise_than_before_is_told(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    scored_run(TONE, [_scored(4.0, model="grader-2026-01")])  # JDG-11
    run = scored_run(TONE, [_scored(4.0, model="grader-2026-02")])
    found = report_judges(ledger, run.id)
    assert "! the judge called itself grader-2026-01 in bot.1 and grader-2026-02 now" in found.text
    (judge,) = found.judges
    assert (judge.models, judge.before, judge.compared) == (("grader-2026-02",), ("grader-2026-01",), "bot.1")
    again = report_judges(ledger, scored_run(TONE, [_scored(4.0, model="grader-2026-02")]).id)
    assert again.judges[0].warnings == []


def test_two_names_within_one_run_are_told(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    run = scored_run(TONE, [_scored(4.0, model="grader-1"), _scored(4.0, model="grader-2")])
    assert "2 different models answered as this judge" in report_judges(ledger, run.id).text


def test_a_name_cannot_write_a_line_of_the_report(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    run = scored_run(TONE, [_scored(4.0, model="grader\n  ! all is well")])
    assert "grader\\n  ! all is well" in report_judges(ledger, run.id).text


def test_what_is_not_judged_is_refused_with_what_is(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    run = scored_run(TONE, [_scored(4.0)])
    with pytest.raises(ConfigError, match=r"bot\.1 has no judged metric 'good'; it has tone"):
        report_judges(ledger, run.id, "good")
    with pytest.raises(ConfigError, match=r"no judged metric 'tune'; did you mean tone\?"):
        report_judges(ledger, run.id, "tune")
    plain = scored_run(MetricFacts("plain", "1"), [Score(1.0)])
    with pytest.raises(ConfigError, match="has no judged metric; it has tone, good"):
        report_judges(ledger, plain.id)


def test_statistics_of_any_length_do_not_reach_the_gate(ledger: SqlLedger, scored_run: ScoredRun) -> None:
    """A judge's single scores are for its report; only the statistics of corpus metrics are columns."""
    run = scored_run(TONE, [_scored(4.0, 4.0, 4.0), _scored(3.0, 2.0, 4.0)])
    assert ledger.table(run.id, "tone").stats is None
