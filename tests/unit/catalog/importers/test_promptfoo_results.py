"""promptfoo's results: what its own file reports, and how a wrong file is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError

Rows = dict[tuple[str, str, int], tuple[float | None, str]]
Write = Callable[[list[Any]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_results(tests: list[Any]) -> Path:
        path = tmp_path / "results.json"
        path.write_text(json.dumps({"results": {"version": 3, "results": tests}}), "utf-8")
        return path

    return write_results


def one_test(**changed: Any) -> dict[str, Any]:
    part = {"pass": True, "score": 1, "assertion": {"type": "contains", "value": "x"}}
    test: dict[str, Any] = {
        "provider": {"id": "echo"},
        "promptIdx": 0,
        "testIdx": 0,
        "vars": {"question": "무엇?"},
        "success": True,
        "namedScores": {},
        "gradingResult": {"pass": True, "score": 1, "componentResults": [part]},
        "testCase": {"assert": [{"type": "contains", "value": "x"}]},
    }
    return test | changed


@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_passes_and_named_scores_are_those_that_promptfoo_counted(
    side: str, files: Path, read: Callable[[str], ScoreColumns]
) -> None:
    scores = read(f"promptfoo/{side}.json")
    counted = json.loads((files / f"promptfoo/{side}.json").read_text("utf-8"))["results"]["prompts"][0]["metrics"]
    sums = {
        name: (np.nansum(own), np.isfinite(own).sum(), np.isnan(own).sum())
        for name, own in ((m, scores.scores[scores.metric_codes == i]) for i, m in enumerate(scores.metrics))
    }
    tested = counted["testPassCount"] + counted["testFailCount"]
    assert sums["pass"] == (counted["testPassCount"], tested, counted["testErrorCount"])
    for name, total in counted["namedScores"].items():
        assert sums[name] == (pytest.approx(total), counted["namedScoresCount"][name], counted["testErrorCount"])


def test_assertions_without_a_name_are_called_by_their_type(read: Callable[[str], ScoreColumns]) -> None:
    assert read("promptfoo/baseline.json").metrics == ("pass", "correct", "length", "levenshtein", "javascript")


def test_two_files_name_the_same_tests_alike_and_repeats_are_of_one_test(read: Callable[[str], ScoreColumns]) -> None:
    baseline, candidate = read("promptfoo/baseline.json"), read("promptfoo/candidate.json")
    few = read("promptfoo/both.json#candidate")
    assert set(baseline.ids) == set(candidate.ids) > set(few.ids)
    assert len(baseline.ids) == 24
    assert len(few.ids) == 5
    assert set(baseline.repeats.tolist()) == {0, 1}
    assert set(few.repeats.tolist()) == {0}
    assert baseline.ids[0].startswith("ko-geography-1 ")
    assert baseline.tags[0] == {"language": "ko", "topic": "geography", "question": "서울을 가로지르는 강은?"}


def test_a_failed_answer_has_no_scores_and_says_why(
    read: Callable[[str], ScoreColumns], told: Callable[[ScoreColumns], Rows]
) -> None:
    missing = {key: why for key, (score, why) in told(read("promptfoo/candidate.json")).items() if score is None}
    assert {metric for _, metric, _ in missing} == {"pass", "correct", "length", "levenshtein", "javascript"}
    assert {name.split()[0] for name, _, _ in missing} == {"ko-science-3"}
    assert {n for *_, n in missing} == {1}
    assert set(missing.values()) == {"응답 없음: the planted failure"}


def test_of_several_providers_one_is_named(files: Path, read: Callable[[str], ScoreColumns]) -> None:
    with pytest.raises(DatasetError, match=r"both\.json: .* name one: promptfoo/both\.json#baseline, .*#candidate$"):
        read("promptfoo/both.json")
    with pytest.raises(DatasetError, match=r"holds no results of 'gpt'; name one: .*#baseline"):
        read("promptfoo/both.json#gpt")
    baseline, candidate = (read(f"promptfoo/both.json#{side}") for side in ("baseline", "candidate"))
    assert baseline.scores.sum() > candidate.scores.sum()
    assert scores_of(files / "promptfoo/both.json#baseline").file == str(files / "promptfoo/both.json#baseline")


def test_a_provider_may_be_an_address_and_have_several_prompts(write: Write) -> None:
    one = {"provider": {"id": "https://llm.example/v1"}}
    path = write([one_test(**one), one_test(**one, promptIdx=1, success=False), one_test(provider="echo", promptIdx=2)])
    with pytest.raises(DatasetError, match=r"#https:/llm\.example/v1:0, .*#https:/llm\.example/v1:1, .*#echo$"):
        scores_of(path)
    assert scores_of(Path(f"{path}#https://llm.example/v1:1")).scores.tolist() == [0.0, 1.0]


def test_a_grader_that_failed_has_judged_nothing(write: Write, told: Callable[[ScoreColumns], Rows]) -> None:
    broken = {"pass": False, "score": 0, "reason": "no\nJSON", "metadata": {"graderError": True}}
    part = broken | {"assertion": {"type": "llm-rubric", "metric": "kind"}}
    sound = {"pass": True, "score": 0.5, "assertion": {"type": "similar"}}
    grading = {"pass": False, "score": 0, "componentResults": [part, sound]}
    rows = told(scores_of(write([one_test(success=False, namedScores={"kind": 0}, gradingResult=grading)])))
    assert {metric: row for (_, metric, _), row in rows.items()} == {
        "pass": (None, "no JSON"),
        "kind": (None, "no JSON"),
        "similar": (0.5, ""),
    }


@pytest.mark.parametrize(("weights", "score"), [({"namedScoreWeights": {"kind": 2}}, 1.5), ({}, 0.75)])
def test_assertions_of_one_name_give_their_mean_also_where_the_release_added_them_up(
    weights: dict[str, Any], score: float, write: Write, told: Callable[[ScoreColumns], Rows]
) -> None:
    parts = [{"score": each, "assertion": {"type": "similar", "metric": "kind"}} for each in (1, 0.5)]
    test = one_test(namedScores={"kind": 1.5}, gradingResult={"componentResults": parts} | weights)
    assert {metric: found for (_, metric, _), (found, _) in told(scores_of(write([test]))).items()} == {
        "pass": 1.0,
        "kind": score,
    }


def test_members_of_a_set_are_scored_and_the_second_of_a_type_is_numbered(write: Write) -> None:
    def part(kind: str, **more: Any) -> dict[str, Any]:
        return {"pass": True, "score": 1, "assertion": {"type": kind}} | more

    leaves = [part("equals"), part("javascript")]
    grading = {"componentResults": [part("assert-set", componentResults=leaves), *leaves, part("javascript")]}
    assert scores_of(write([one_test(gradingResult=grading)])).metrics == (
        "pass",
        "equals",
        "javascript",
        "javascript 2",
    )
    nested = [{"type": "assert-set", "assert": [{"type": "equals"}, {"type": "javascript"}]}, {"type": "javascript"}]
    failed = one_test(failureReason=2, gradingResult=None, error="boom", testCase={"assert": nested})
    assert scores_of(write([failed])).metrics == ("pass", "equals", "javascript", "javascript 2")


def test_tests_are_repeats_by_their_number_not_by_when_they_finished(
    write: Write, told: Callable[[ScoreColumns], Rows]
) -> None:
    late, early = one_test(testIdx=1, success=False), one_test(testIdx=0, success=True)
    rows = told(scores_of(write([late, early])))
    assert {repeat: score for (_, metric, repeat), (score, _) in rows.items() if metric == "pass"} == {0: 1.0, 1: 0.0}


def test_tests_without_variables_are_told_apart_by_what_they_assert(write: Write) -> None:
    other = {"assert": [{"type": "contains", "value": "y"}]}
    scores = scores_of(write([one_test(vars={}), one_test(vars={}, testCase=other)]))
    assert len(scores.ids) == 2
    assert set(scores.repeats.tolist()) == {0}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (3, r"results\.results\.0: expected a JSON object, got"),
        (one_test(vars=[1]), r"results\.results\.0\.vars: expected a mapping, got a list"),
        (one_test(success="yes"), r"results\.results\.0\.success: expected true or false, got text 'yes'"),
        (
            one_test(namedScores={"kind": "good"}),
            r"results\.results\.0\.namedScores\.kind: expected a number, got text",
        ),
        (one_test(namedScores=[1]), r"results\.results\.0\.namedScores: expected a mapping, got a list"),
        (
            one_test(gradingResult={"componentResults": 1}),
            r"results\.results\.0\.gradingResult\.componentResults: expected a list, got",
        ),
        (
            one_test(gradingResult={"componentResults": [{"assertion": {"type": "similar"}}]}),
            r"results\.results\.0\.gradingResult\.componentResults: similar: expected a number, got nothing",
        ),
    ],
)
def test_a_wrong_result_is_told_with_its_field(write: Write, test: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        scores_of(write([test]))


def test_a_file_without_results_holds_no_score(write: Write) -> None:
    with pytest.raises(DatasetError, match="holds no score"):
        scores_of(write([]))


def test_names_numbers_and_metadata_of_other_kinds_are_no_crash(write: Write) -> None:
    part = {"score": 1, "metadata": "a text", "assertion": {"type": "similar", "metric": ["kind"]}}
    test = one_test(promptIdx=[0], namedScores={"kind": 1}, gradingResult={"componentResults": [part]})
    assert set(scores_of(write([test])).metrics) == {"pass", "kind"}
