"""Verdicts on the outputs of real systems: on all samples, and on halves and quarters of them.

    python tests/bench/real_data.py FOLDER [--seed 1]

FOLDER holds `wmt22-ja-en` (Japanese segments, a reference, outputs of NT5 and Online-A) and `alpaca-eval`
(win probabilities of one model with its normal and with a "be concise" prompt). Prints Markdown. The parts
of one size are disjoint and drawn at random; the figures are those of the first, the verdicts those of all.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.core.verdict import Difference
from haetae.metrics.reference.bleu import Bleu
from haetae.metrics.reference.chrf import Chrf
from haetae.stats.compare import GatedColumn, compare

PARTS = {"all": 1, "a half": 2, "a quarter": 4}
TOLERANCE = 0.01


def read(path: Path, field: str) -> dict[str, str | float]:
    """One field of every line, by the line's id."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["id"]: row[field] for row in rows}


def translations(folder: Path) -> list[GatedColumn]:
    """NT5's segments against Online-A's, by BLEU and chrF, a tolerance of one point."""
    references = read(folder / "samples.jsonl", "reference")
    columns = []
    for name, metric in (("BLEU", Bleu()), ("chrF", Chrf())):
        sides = []
        for system in ("NT5", "Online-A"):
            outputs = read(folder / f"outputs.{system}.jsonl", "output")
            stats = [metric.statistics(str(outputs[i]), (str(text),)) for i, text in references.items()]
            values = np.array([metric.sentence(row) for row in stats])
            sides.append(ScoreTable(metric.facts, tuple(references), values, tuple(references), np.array(stats)))
        columns.append(GatedColumn(name, (sides[0],), sides[1], metric.corpus, TOLERANCE))
    return columns


def preferences(folder: Path) -> list[GatedColumn]:
    """The normal prompt's win probabilities against the concise prompt's; no drop is tolerated."""
    facts, sides = MetricFacts("win", "1"), []
    for system in ("gpt-3.5-turbo-1106", "gpt-3.5-turbo-1106_concise"):
        wins = read(folder / f"judgements.{system}.jsonl", "win_probability")
        sides.append(ScoreTable(facts, tuple(wins), np.array(list(wins.values()), dtype=float), tuple(wins)))
    return [GatedColumn("win rate", (sides[0],), sides[1], None, 0.0)]


def only(columns: Sequence[GatedColumn], rows: Sequence[int]) -> list[GatedColumn]:
    """The same columns over some of their samples; all tables have theirs in one order."""

    def cut(table: ScoreTable) -> ScoreTable:
        ids = tuple(table.sample_ids[i] for i in rows)
        stats = None if table.stats is None else table.stats[rows]
        return replace(table, sample_ids=ids, clusters=ids, values=table.values[rows], stats=stats)

    return [replace(c, baseline=tuple(map(cut, c.baseline)), candidate=cut(c.candidate)) for c in columns]


def lines(columns: Sequence[GatedColumn], rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """(metric and share, n, difference with interval, adjusted p, verdict, verdicts of all parts) by share."""
    order = rng.permutation(len(columns[0].candidate.sample_ids))
    for share, count in PARTS.items():
        found = [compare(only(columns, sorted(part)))[1] for part in np.array_split(order, count)]
        for column in zip(*found, strict=True):
            said = Counter(d.verdict.value for d in column)
            each = ", ".join(f"{times} of {count} {verdict}" for verdict, times in said.most_common())
            yield (f"{column[0].metric}, {share}", *figures(column[0]), each)


def figures(d: Difference) -> tuple[str, str, str, str]:
    """n, the difference in points of 100 with its interval, the adjusted p of a drop, the verdict."""
    points = 1 if d.metric != "win rate" else 100
    if d.delta is None or d.low is None or d.high is None or d.p_drop_adjusted is None:
        raise ValueError(f"{d.metric}: nothing to compare")
    delta, low, high = (f"{points * x:+.2f}".replace("-", "−") for x in (d.delta, d.low, d.high))
    return f"{d.n:,}", f"{delta} ({low} to {high})", f"{d.p_drop_adjusted:.4f}", d.verdict.value


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    print("| metric, share | samples | difference, points (95 %) | adjusted p of a drop | verdict | all such parts |")
    print("|---|---|---|---|---|---|")
    for columns in (translations(chosen.folder / "wmt22-ja-en"), preferences(chosen.folder / "alpaca-eval")):
        for row in lines(columns, rng):
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
