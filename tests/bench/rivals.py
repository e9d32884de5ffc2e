"""What other packages say of the same data. Runs in an environment of its own, without Haetae:

    RIVALS/bin/python rivals.py gate DATA.npz      → {"evalproof": ["pass", …], "statgate": [...]}
    RIVALS/bin/python rivals.py judge DATA.npz     → {"evalproof PPI": .93, …}: shares of intervals that cover

`gate` reads `before` and `after` (repetitions, samples), 0/1, and `margin`. `judge` reads `judge`, `human`
(repetitions, samples), `labels` and `truth`. A package that cannot be imported or run is missing in the
answer, and its error is a line on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Runs = Any  # arrays (repetitions, samples)


def evalproof_gate(before: Runs, after: Runs, margin: float) -> list[str]:
    from evalproof import GateConfig, compare_runs, decide
    from evalproof.models import CaseResult, Run, RunInfo, Score, SystemOutput

    info = RunInfo(
        suite="s", system="s", dataset_path="d", dataset_hash="h", started_at="0", finished_at="0",
        wall_time_s=0.0, evalproof_version="0", seed=0,
    )  # fmt: skip
    output = SystemOutput(output="")

    def run(values: Runs) -> Run:
        return Run(
            info=info,
            results=[
                CaseResult(case_id=f"{i:05d}", output=output, scores={"m": Score(value=float(v), passed=bool(v))})
                for i, v in enumerate(values)
            ],
        )

    said = []
    for left, right in zip(before, after, strict=True):
        gate = GateConfig(metric="m", max_drop=margin, alpha=0.05, min_cases=1)
        found = decide(compare_runs(run(left), run(right), n_boot=200), gate)  # the interval is not in the decision
        said.append("regression" if found.exit_code == 1 else "pass")
    return said


def statgate_gate(before: Runs, after: Runs, margin: float) -> list[str]:
    from statgate import GateSettings, evaluate_gate
    from statgate.records import EvalRecord

    words = {"SHIP": "pass", "BLOCK": "regression", "INCONCLUSIVE": "inconclusive"}
    settings = GateSettings(margin=margin, alpha=0.05, resamples=1_000, permutations=100, seed=0)

    def records(values: Runs) -> list[EvalRecord]:
        return [EvalRecord(case_id=f"{i:05d}", score=float(v)) for i, v in enumerate(values)]

    return [
        words[evaluate_gate(records(left), records(right), settings).verdict.value]
        for left, right in zip(before, after, strict=True)
    ]


def covered(interval: Callable[[Runs, Runs], tuple[float, float]], data: Any) -> float:
    hits = []
    for judge, human in zip(data["judge"], data["human"], strict=True):
        low, high = interval(judge, human)
        hits.append(low <= float(data["truth"]) <= high)
    return float(np.mean(hits))


def evalproof_ppi(data: Any) -> float:
    from evalproof.calibration import ppi_estimate

    n = int(data["labels"])

    def interval(judge: Runs, human: Runs) -> tuple[float, float]:
        found = ppi_estimate(list(judge[n:]), list(judge[:n]), list(human[:n]))
        return found.low, found.high

    return covered(interval, data)


def evalproof_acc(data: Any) -> float:
    from evalproof.calibration import acc_estimate

    n = int(data["labels"])

    def interval(judge: Runs, human: Runs) -> tuple[float, float]:
        judged, labels = [bool(v) for v in judge], [bool(v) for v in human[:n]]
        found = acc_estimate(judged, judged[:n], labels, n_boot=300)
        # It gives no interval where one class was not labelled: nothing is covered.
        return (1.0, 0.0) if found.low is None else (found.low, found.high)

    return covered(interval, data)


def ppi_python(data: Any) -> float:
    from ppi_py import ppi_mean_ci

    n = int(data["labels"])

    def interval(judge: Runs, human: Runs) -> tuple[float, float]:
        low, high = ppi_mean_ci(human[:n], judge[:n], judge[n:], alpha=0.05)
        return float(low[0]), float(high[0])

    return covered(interval, data)


def main(question: str, path: str) -> None:
    answers: dict[str, Any] = {}
    with np.load(path) as data:
        if question == "gate":
            gates = {"evalproof": evalproof_gate, "statgate": statgate_gate}
            work = {n: lambda g=g: g(data["before"], data["after"], float(data["margin"])) for n, g in gates.items()}
        else:
            judges = {"evalproof PPI": evalproof_ppi, "evalproof ACC": evalproof_acc, "ppi-python": ppi_python}
            work = {name: lambda j=j: j(data) for name, j in judges.items()}
        for name, answer in work.items():
            try:
                answers[name] = answer()
            except Exception as exc:  # whatever a foreign package raises: it is named, the others go on
                print(f"{name}: {type(exc).__name__}: {exc}", file=sys.stderr)
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
