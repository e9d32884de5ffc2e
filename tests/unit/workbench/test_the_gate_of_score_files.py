"""The gate on score files of any tool: verdicts, numbers, slices, scales, and what withholds a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from haetae.catalog.scores.gathering import collect
from haetae.core.score_columns import ScoreColumns
from haetae.core.tool_score import ToolScore
from haetae.core.verdict import Verdict
from haetae.errors import ConfigError, DatasetError
from haetae.workbench.scores.gate import gate_scores
from haetae.workbench.scores.report import ScoreReport
from haetae.workbench.scores.rules import ScoreRules


def side(file: str, scores: Mapping[str, Iterable[float | None]], **rest: Callable[[int], Any]) -> ScoreColumns:
    """One file: a column of scores by metric, sample n is `q{n}`; `rest` makes further fields from n."""
    rows = [
        ToolScore(f"q{n}", metric, score, line=n + 1, **{name: make(n) for name, make in rest.items()})
        for metric, column in scores.items()
        for n, score in enumerate(column)
    ]
    return collect(rows, file)


def gated(before: ScoreColumns, after: ScoreColumns, **rules: Any) -> ScoreReport:
    return gate_scores(before, after, ScoreRules(**{"margin": 0.05, **rules}))


def two(before: Iterable[float | None], after: Iterable[float | None], **rules: Any) -> ScoreReport:
    """The gate on one metric, `right`."""
    return gated(side("a.jsonl", {"right": before}), side("b.jsonl", {"right": after}), **rules)


def coins(seed: int, n: int, share: float) -> list[float]:
    return (np.random.default_rng(seed).random(n) < share).astype(float).tolist()


def test_a_clear_drop_is_a_regression_with_its_numbers_and_movers() -> None:
    before, after = coins(1, 400, 0.9), coins(2, 400, 0.7)
    found = two(before, after)
    (result,) = found.as_json()["results"]
    assert found.comparison.verdict is Verdict.REGRESSION
    assert found.exit_code_when(strict=False) == 1
    assert found.as_json()["changed"] == [{"metric": "right", "slice": "", "delta": result["delta"]}]
    assert result["delta"] == pytest.approx(np.mean(after) - np.mean(before))
    drops = sum(b > a for b, a in zip(before, after, strict=True))
    gains = sum(b < a for b, a in zip(before, after, strict=True))
    mid_p = stats.binom.sf(drops, drops + gains, 0.5) + stats.binom.pmf(drops, drops + gains, 0.5) / 2
    assert result["p_drop"] == pytest.approx(mid_p, rel=1e-9)  # McNemar's mid-p, one-sided
    assert "right fell by" in found.text
    assert "this is not noise. Tolerance: 5 points." in found.text
    assert len(found.comparison.movers) == 10


def test_the_interval_of_other_scores_is_the_paired_t_interval() -> None:
    rng = np.random.default_rng(3)
    before = rng.uniform(0.2, 0.8, 150)
    after = np.clip(before + rng.normal(0, 0.1, 150), 0, 1)
    (result,) = two(before.tolist(), after.tolist()).as_json()["results"]
    interval = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert result["ci"] == pytest.approx([interval.low, interval.high], rel=1e-9)
    assert result["n"] == 150


def test_equal_scores_pass_only_where_there_are_enough_of_them() -> None:
    assert two([1.0] * 200, [1.0] * 200).comparison.verdict is Verdict.PASS
    few = two([0.5] * 30, [0.5] * 30)
    assert few.comparison.verdict is Verdict.INCONCLUSIVE
    assert few.as_json()["more_samples_needed"] == 30  # the rule of three: -ln(.05)/.05 is 60
    assert "About 30 more samples would settle it." in few.text
    assert (few.exit_code_when(strict=False), few.exit_code_when(strict=True)) == (0, 3)


def test_one_sample_says_nothing() -> None:
    found = two([1.0], [0.0])
    assert found.comparison.verdict is Verdict.INCONCLUSIVE
    assert "fewer than two independent samples" in found.text
    assert found.as_json()["results"][0]["p_drop"] is None


def test_the_order_of_the_rows_does_not_matter() -> None:
    before, after = coins(4, 300, 0.8), coins(5, 300, 0.75)
    straight = two(before, after)
    rows = [ToolScore(f"q{n}", "right", score) for n, score in enumerate(after)]
    mixed = gated(
        side("a.jsonl", {"right": before}),
        collect([rows[n] for n in np.random.default_rng(6).permutation(300)], "b.jsonl"),
    )
    assert mixed.as_json() == straight.as_json()


def test_repeats_are_averaged_within_their_sample() -> None:
    before = side("a.jsonl", {"right": [0.5] * 100})
    rows = [ToolScore(f"q{n}", "right", float(k), sample=k) for n in range(100) for k in (0, 1)]
    (result,) = gated(before, collect(rows, "b.jsonl")).as_json()["results"]
    assert (result["n"], result["delta"]) == (100, 0.0)


def test_scores_of_one_document_are_one_piece_of_evidence() -> None:
    before, after = [1.0] * 200, [float(n >= 20) for n in range(200)]
    alone = two(before, after)

    def document(n: int) -> str:
        return f"doc{n // 20}"

    together = gated(
        side("a.jsonl", {"right": before}, cluster=document), side("b.jsonl", {"right": after}, cluster=document)
    )
    assert alone.comparison.verdict is Verdict.REGRESSION
    assert together.comparison.verdict is Verdict.INCONCLUSIVE  # one document of ten got worse


def test_clusters_of_one_file_only_or_other_ones_are_refused() -> None:
    scores = {"right": [1.0] * 100}
    by_ten, by_five = (
        side(f, scores, cluster=lambda n, k=k: f"doc{n // k}") for f, k in (("b.jsonl", 10), ("c.jsonl", 5))
    )
    for before, after, told in (
        (
            side("a.jsonl", scores),
            by_ten,
            r"b\.jsonl:1: cluster: 'q0' is in the cluster doc0 here and in none in a\.jsonl",
        ),
        (
            by_ten,
            side("a.jsonl", scores),
            r"a\.jsonl:1: cluster: 'q0' is in the cluster none here and in doc0 in b\.jsonl",
        ),
        (by_ten, by_five, r"c\.jsonl:6: cluster: 'q5' is in the cluster doc1 here and in doc0 in b\.jsonl"),
    ):
        with pytest.raises(DatasetError, match=told):
            gated(before, after)
    assert gated(by_ten, by_ten).comparison.verdict is not Verdict.REGRESSION


def test_a_metric_that_is_better_when_lower_is_turned_round() -> None:
    before, after = [0.2] * 100, [0.1] * 100
    assert two(before, after).comparison.verdict is Verdict.REGRESSION
    assert two(before, after, lower_is_better=frozenset({"right"})).comparison.verdict is Verdict.PASS
    with pytest.raises(ConfigError, match=r"no metric 'rihgt' in the files; did you mean right\?"):
        two(before, after, lower_is_better=frozenset({"rihgt"}))


def test_another_scale_is_declared_and_the_margin_is_a_share_of_it() -> None:
    rng = np.random.default_rng(8)
    before = rng.integers(1, 6, 400).astype(float).tolist()
    found = two(before, before, scales={"right": (1.0, 5.0)})
    (result,) = found.as_json()["results"]
    assert (result["margin"], found.as_json()["margin"]) == (pytest.approx(0.2), 0.05)
    worse = [max(1.0, score - (n % 4 == 0)) for n, score in enumerate(before)]
    (result,) = two(before, worse, scale=(1.0, 5.0)).as_json()["results"]
    assert result["delta"] == pytest.approx(np.mean(worse) - np.mean(before))  # in the metric's own units
    assert result["verdict"] == "regression"


def test_an_open_scale_counts_in_its_own_units() -> None:
    before = [1.0 + n % 7 / 10 for n in range(200)]
    after = [score + 0.5 for score in before]
    rules = {"scales": {"right": (0.0, None)}, "lower_is_better": frozenset({"right"}), "margin": 0.1}
    found = two(before, after, **rules)
    assert found.comparison.verdict is Verdict.REGRESSION
    assert "right rose by 0.5" in found.text


def test_a_margin_that_nothing_could_fall_through_is_a_mistake() -> None:
    """5 is what someone writes who means 5 points of 100."""
    told = "the margin is a share of the scale, from 0 to below 1, got 5: right could not fall so far"
    with pytest.raises(ConfigError, match=told):
        two(coins(1, 400, 0.9), coins(2, 400, 0.2), margin=5)
    with pytest.raises(ConfigError, match="got 1: right"):
        two(coins(1, 400, 0.9), coins(2, 400, 0.2), margin=1)
    assert two([70.0, 80.0] * 50, [71.0, 80.0] * 50, margin=5, scale=(None, None)).margin == 5


def test_the_smallest_alpha_still_gives_a_report() -> None:
    found = two(coins(1, 400, 0.9), coins(2, 400, 0.2), alpha=1e-30)
    assert found.comparison.verdict is Verdict.REGRESSION
    assert "smallest drop" in found.text


def test_scores_outside_the_scale_are_refused_at_their_line() -> None:
    with pytest.raises(DatasetError) as caught:
        two([0.5] * 30, [0.5] * 16 + [4.0, 5.0] + [0.5] * 12)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.field) == ("b.jsonl", 17, "score")
    assert "4 is outside the scale of right, 0 to 1; it has 2 such scores here" in problem.message
    assert "all run from 0.5 to 5. Declare its scale, as in --scale-of right=1:5" in problem.message


def test_one_file_in_shares_and_one_in_percent_are_refused() -> None:
    with pytest.raises(DatasetError) as caught:
        two([n / 40 for n in range(40)], [n / 40 * 100 for n in range(40)], scale=(0.0, 100.0))
    (problem,) = caught.value.problems
    assert str(problem).startswith("b.jsonl:2: score: right is 2.5 here, and in a.jsonl no score is above 1")
    both = [n / 40 * 100 for n in range(40)]
    assert two(both, both, scale=(0.0, 100.0)).comparison.verdict is not Verdict.REGRESSION


def tagged(file: str, scores: Mapping[str, Iterable[float | None]], count: int = 3) -> ScoreColumns:
    return side(file, scores, tags=lambda n: {"lang": f"l{n % count}"})


def test_every_tag_of_few_values_is_sliced_and_a_drop_in_one_is_named() -> None:
    base = coins(9, 600, 0.85)
    after = [0.0 if n % 3 == 1 and n % 2 else score for n, score in enumerate(base)]
    metrics = {"right": base, "polite": base}
    found = gated(tagged("a.jsonl", metrics), tagged("b.jsonl", {"right": after, "polite": base})).as_json()
    assert [(r["metric"], r["slice"]) for r in found["results"]][:4] == [
        ("right", ""),
        ("right", "lang=l0"),
        ("right", "lang=l1"),
        ("right", "lang=l2"),
    ]
    assert {(c["metric"], c["slice"]) for c in found["changed"]} == {("right", ""), ("right", "lang=l1")}
    assert "mostly in lang=l1" in found["reason"]


def language(n: int) -> dict[str, str]:
    return {"lang": "ko" if n % 8 == 0 else "en"}


def test_a_sample_is_in_the_slices_that_any_of_its_rows_names() -> None:
    """A tool that tags the rows of one metric only must not lose the slices of the others."""
    same, fallen = [1.0] * 400, [float(n % 16 != 0) for n in range(400)]
    sides = [
        collect(
            [
                *(ToolScore(f"q{n}", "first", score, line=n + 1) for n, score in enumerate(scores)),
                *(ToolScore(f"q{n}", "second", 1.0, tags=language(n), line=n + 401) for n in range(400)),
            ],
            file,
        )
        for file, scores in (("a.jsonl", same), ("b.jsonl", fallen))
    ]
    changed = [(each["metric"], each["slice"]) for each in gated(*sides).as_json()["changed"]]
    assert changed == [("first", ""), ("first", "lang=ko")]


def test_tags_of_the_baseline_alone_slice_both_sides() -> None:
    before = side("a.jsonl", {"right": [1.0] * 400}, tags=language)
    after = side("b.jsonl", {"right": [float(n % 16 != 0) for n in range(400)]})
    found = gated(before, after)
    assert [each["slice"] for each in found.as_json()["results"]] == ["", "lang=en", "lang=ko"]
    assert "mostly in lang=ko" in found.text


def test_tags_that_make_no_slices_are_left_out_and_said() -> None:
    base = [1.0] * 100
    ids = tagged("b.jsonl", {"right": base}, count=50)
    found = gated(side("a.jsonl", {"right": base}), ids)
    assert [d.slice for d in found.comparison.differences] == [""]
    assert "the tag lang has 50 values and is not sliced; --slice lang slices it" in found.text
    wanted = gated(side("a.jsonl", {"right": base}), ids, slices=("lang",))
    assert len(wanted.comparison.differences) == 51
    assert wanted.comparison.differences[1].note == "not tested: 2 samples of the 20 that a slice needs"
    single = gated(side("a.jsonl", {"right": base}), tagged("b.jsonl", {"right": base}, count=1))
    assert [d.slice for d in single.comparison.differences] == [""]  # the whole again


def test_a_slice_that_no_score_has_is_a_mistake() -> None:
    base = {"right": [1.0] * 60}
    with pytest.raises(ConfigError, match=r"no score of b\.jsonl has the tag 'lagn'; did you mean lang\?"):
        gated(tagged("a.jsonl", base), tagged("b.jsonl", base), slices=("lagn",))
    with pytest.raises(ConfigError, match="no score has a tag"):
        gated(side("a.jsonl", base), side("b.jsonl", base), slices=("lang",))


def test_a_tenth_of_nulls_on_one_side_is_no_verdict() -> None:
    scores: list[float | None] = [1.0] * 200
    after = [None if n % 10 == 0 else score for n, score in enumerate(scores)]
    for before, candidate, file in ((scores, after, "b.jsonl"), (after, scores, "a.jsonl")):
        found = two(before, candidate)
        assert found.comparison.verdict is Verdict.NO_VERDICT
        assert found.exit_code_when(strict=False) == 3
        told = f"right: 90.0% of 200 samples are scored in {file}, below the coverage of 95% (null 20)"
        assert found.as_json()["reason"] == f"{told}."
        assert found.as_json()["results"][0]["verdict"] == "no verdict"


def test_samples_that_are_missing_on_one_side_count_against_its_coverage() -> None:
    found = two([1.0] * 200, [1.0] * 180)
    assert found.comparison.verdict is Verdict.NO_VERDICT
    assert "90.0% of 200 samples are scored in b.jsonl" in found.comparison.reason
    assert "missing samples 20" in found.comparison.reason
    assert found.as_json()["unscored"]["right"]["candidate"] == {
        "rows": 180,
        "scored": 180,
        "missing": 20,
        "unscored": {},
    }
    nearly = two([1.0] * 202, [1.0] * 200)
    assert nearly.comparison.verdict is Verdict.PASS
    assert "right: b.jsonl: 200 of 200 scored; missing samples 2" in nearly.text


def test_errors_on_one_side_withhold_a_pass() -> None:
    scores: list[float | None] = [1.0] * 400
    after = [None if n < 12 else score for n, score in enumerate(scores)]
    found = two(scores, after)
    assert found.comparison.verdict is Verdict.INCONCLUSIVE
    assert "more samples are unscored or missing than in the baseline (sign test p = 0.00024)" in found.text  # 2^-12
    assert two(after, scores).comparison.verdict is Verdict.PASS
    assert two(after, after).comparison.verdict is Verdict.PASS


def test_a_metric_in_one_file_only_is_named_and_withholds_a_verdict() -> None:
    base = {"right": [1.0] * 200}
    found = gated(side("a.jsonl", {**base, "polite": [1.0] * 200}), side("b.jsonl", base))
    assert found.comparison.verdict is Verdict.NO_VERDICT
    assert found.comparison.reason == "polite: is in a.jsonl only."
    assert [(d.metric, d.verdict.value) for d in found.comparison.differences] == [
        ("right", "pass"),
        ("polite", "no verdict"),
    ]
    renamed = gated(side("a.jsonl", base), side("b.jsonl", {"Right": [1.0] * 200}))
    assert renamed.comparison.reason == "right: is in a.jsonl only; Right: is in b.jsonl only."


def test_a_proven_drop_stays_one_where_another_metric_has_no_verdict() -> None:
    found = gated(
        side("a.jsonl", {"polite": [1.0] * 100, "right": [1.0] * 100}), side("b.jsonl", {"right": [0.0] * 100})
    )
    assert found.comparison.verdict is Verdict.REGRESSION
    assert "polite: is in a.jsonl only" in found.text


def test_files_without_a_common_sample_or_score_have_no_verdict() -> None:
    rows = [ToolScore(f"other{n}", "right", 1.0) for n in range(50)]
    found = gated(side("a.jsonl", {"right": [1.0] * 50}), collect(rows, "b.jsonl"))
    assert found.comparison.verdict is Verdict.NO_VERDICT
    assert "no sample id is in both files" in found.comparison.reason
    nothing = two([1.0] * 50, [None] * 50)
    assert nothing.comparison.verdict is Verdict.NO_VERDICT
    assert "no sample is scored in b.jsonl (null 50)" in nothing.comparison.reason
    assert nothing.as_json()["results"][0]["delta"] is None


def test_reasons_of_unscored_rows_are_counted() -> None:
    rows = [ToolScore(f"q{n}", "right", None if n < 2 else 1.0, reason="timeout" if n else "") for n in range(200)]
    found = gated(side("a.jsonl", {"right": [1.0] * 200}), collect(rows, "b.jsonl"))
    assert found.as_json()["unscored"]["right"]["candidate"]["unscored"] == {"null": 1, "timeout": 1}


def test_a_sudden_rise_is_a_warning() -> None:
    found = two(coins(10, 300, 0.6), coins(11, 300, 0.8))
    assert found.comparison.verdict is Verdict.PASS
    assert "! right: improved by " in found.text


def test_the_smallest_drop_that_would_be_found_is_said() -> None:
    before = coins(12, 1319, 0.8)
    after = [abs(score - flip) for score, flip in zip(before, coins(13, 1319, 0.2), strict=True)]
    found = two(before, after)
    drop = found.as_json()["results"][0]["detectable_drop"]
    spread = float(np.std(np.array(after) - np.array(before), ddof=1))
    by_hand = (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) * spread / np.sqrt(1319)
    assert drop == pytest.approx(by_hand, rel=0.01)
    assert f"smallest drop that this comparison finds four times in five: right {100 * drop:.1f} points" in found.text
