"""The tables that the simulation prints: what is asked, how often, and the target it is held against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gate_questions as gate
import judge_questions as judge
import numpy as np
import watch_questions as watch
from naive import RULES
from repetitions import Repetitions
from rival_runs import Rivals
from worlds import CORRELATIONS, KINDS, SIZES

Row = tuple[str, str, str]


def gate_rows(bench: Repetitions) -> Iterator[Row]:
    """False alarms, false passes and power in 27 worlds."""
    cells = [(kind, n, rho) for kind in KINDS for n in SIZES for rho in CORRELATIONS]
    asked = {cell: bench.start(gate.one_column, 2_000, *cell) for cell in cells}
    rates = {cell: np.mean(wait(), axis=0) for cell, wait in asked.items()}
    alarms = {cell: r[0] for cell, r in rates.items()}
    passes = {cell: r[1] for cell, r in rates.items()}
    worst = max(alarms, key=alarms.__getitem__)
    yield "false alarm, nothing changed, 27 cells: mean", "≤ .05", figure(np.mean(list(alarms.values())))
    yield "false alarm: worst cell", "≤ .065", f"{figure(alarms[worst])} ({named(worst)})"
    worst = max(passes, key=passes.__getitem__)
    yield "false pass at the margin: mean", "", figure(np.mean(list(passes.values())))
    yield "false pass at the margin: worst cell", "≤ .065", f"{figure(passes[worst])} ({named(worst)})"
    for n, most in ((50, ".03"), (200, ".01"), (1_000, ".01")):
        short = {cell: r[3] - r[2] for cell, r in rates.items() if cell[1] == n}
        worst = max(short, key=short.__getitem__)
        mean = np.mean([rates[cell][2] for cell in short]), np.mean([rates[cell][3] for cell in short])
        said = f"{figure(mean[0])} of {figure(mean[1])}; {figure(short[worst])} behind at worst ({named(worst)})"
        yield f"power of the drop test and of the known-variance z-test, n = {n}", f"within {most}", said
    family = bench.start(gate.family_of_twenty, 1_000)()
    yield "false alarm, 20 correlated columns", "≤ .065", figure(np.mean(family))


def sequential_rows(bench: Repetitions) -> Iterator[Row]:
    """Ten looks at up to 1,000 samples, tolerance 5 points."""
    drops = {"nothing changed": 0.0, "at the margin": 0.05, "−10 pt": 0.10}
    asked = {(k, what): bench.start(watch.looks, 2_000, k, drop) for k in KINDS for what, drop in drops.items()}
    yardstick = {kind: bench.start(watch.known_looks, 10_000, kind, 0.0) for kind in KINDS}
    found = {key: wait() for key, wait in asked.items()}
    known = {kind: np.mean(wait()) for kind, wait in yardstick.items()}

    def samples(kind: str, what: str) -> float:
        return float(np.mean([n for n, _ in found[kind, what]]))

    def share(kind: str, what: str, verdict: str) -> float:
        return float(np.mean([v == verdict for _, v in found[kind, what]]))

    each = ", ".join(f"{kind} {samples(kind, 'nothing changed'):.0f} beside {known[kind]:.0f}" for kind in KINDS)
    mean = np.mean([samples(kind, "nothing changed") for kind in KINDS])
    yield (
        "sequential: samples of 1,000 when nothing changed (beside those with a known variance)",
        "≤ 420",
        f"{mean:.0f} ({each})",
    )
    each = ", ".join(f"{kind} {samples(kind, '−10 pt'):.0f}" for kind in KINDS)
    yield "sequential: samples at −10 pt", "", each
    for what, verdict, text in (
        ("nothing changed", "regression", "false alarm"),
        ("at the margin", "pass", "false pass at the margin"),
    ):
        rates = {kind: share(kind, what, verdict) for kind in KINDS}
        each = ", ".join(f"{kind} {figure(rate)}" for kind, rate in rates.items())
        yield f"sequential: {text}", "≤ .055", f"{figure(max(rates.values()))} at worst ({each})"
    passed = [share(kind, "nothing changed", "pass") for kind in KINDS]
    yield "sequential: passes when nothing changed", "", ", ".join(map(figure, passed))
    yield (
        "anytime-valid betting, nothing changed, any false alarm in 1,000",
        "≤ .05",
        figure(np.mean(bench.start(watch.betting, 1_000)())),
    )


def monitor_rows(bench: Repetitions) -> Iterator[Row]:
    """20 streams, 80 % ones, correlation .5 from night to night, one alarm a month accepted."""
    quiet = {("", n): bench.start(watch.quiet_month, 3_000, n) for n in (300, 200)}
    quiet[" with a shift of 1σ shared by each night", 300] = bench.start(watch.uneasy_month, 1_000, 300)
    asked = {
        (n, drop, within): bench.start(watch.dropped_stream, 2_000, n, drop, within)
        for n in (300, 200)
        for drop, within in ((0.05, 3), (0.03, 7))
    }
    for (shared, n), wait_month in quiet.items():
        months = wait_month()
        error = 20 * np.sqrt(np.sum(months)) / len(months)
        text = f"{20 * np.mean(months):.2f} ± {error:.2f}"
        yield f"monitor: false alarms a month, 20 streams, n = {n}{shared}", "" if shared else "≤ 1", text
    for (n, drop, within), wait in asked.items():
        found, near, known = np.array(wait()).T
        text = f"{figure(found.mean())} beside {figure(known.mean())}, change run within ±1 in {near[found].mean():.0%}"
        what = f"monitor: −{100 * drop:.0f} pt found within {within} nights, n = {n} (beside that with a known noise)"
        yield what, "≥ .80" if n == 300 and drop == 0.05 else "", text


def judge_rows(bench: Repetitions, rivals: Rivals) -> Iterator[Row]:
    """Coverage of nominal 95 % intervals from few labels."""
    asked = [(kind, world, n) for kind, worlds in judge.JUDGES.items() for world in worlds for n in (20, 50)]
    waits = {key: bench.start(judge.coverage, 1_000, *key) for key in asked}
    for kind in judge.JUDGES:
        for n in (20, 50):
            rates = [np.mean(wait()) for key, wait in waits.items() if key[0] == kind and key[2] == n]
            target = ".93–.97" if kind == "0/1" or n == 50 else ""
            yield f"judge correction, {kind}, {n} labels: coverage", target, " / ".join(map(figure, rates))
    for n in (20, 50):
        said = rivals.judged(bench.seed, max(20, round(300 * bench.share)), n)
        yield f"— the same 0/1 judge (.85/.30), {n} labels, by", "", said
    answers = np.mean(bench.start(judge.pleased_judge, 1_000)(), axis=0)
    text = f"raw judge {figure(answers[0])}, corrected {figure(answers[1])}"
    yield "candidate learned to please its judge, truth −5 pt, tolerance 3 pt, 50 pairs: passes", "≤ .03", text


def speed_rows(quick: bool) -> Iterator[Row]:
    """One gate over 20 columns, tables and names fresh in memory."""
    for n, target in ((1_000, "≤ 0.3 s"), (100_000, "≤ 10 s")):
        if quick and n > 1_000:
            continue
        seconds, tables, most = gate.speed(n)
        text = f"{seconds:.2f} s, {most:.0f} MB at most, {tables:.0f} MB of them before the gate"
        yield f"gate over 20 columns of {n:,} samples", target, text


def naive_table(bench: Repetitions, rivals: Rivals) -> list[str]:
    """Alarms a month when nothing changed, and what is let through at −5 pt."""
    families = (1, 5, 20)
    quiet = {columns: bench.start(gate.nightly, 600, columns) for columns in families}
    dropped = bench.start(gate.against_rules, 1_000, 0.05)
    months = {columns: 600 * np.mean(wait(), axis=0) for columns, wait in quiet.items()}
    rates = np.mean(dropped(), axis=0)
    repetitions = max(20, round(600 * bench.share))
    lines = [
        "| rule | alarms a month: 1 / 5 / 20 columns | alarms at −5 pt | passes at −5 pt |",
        "|---|---|---|---|",
    ]
    for i, rule in enumerate([*RULES, "Haetae"]):
        each = " / ".join(f"{months[columns][i]:.0f}" for columns in families)
        let_pass = rates[-1] if rule == "Haetae" else 1 - rates[i]
        lines.append(f"| {rule} | {each} | {figure(rates[i])} | {figure(let_pass)} |")
    for package, (quiet_share, alarm, let_pass) in rivals.gated(bench.seed, repetitions).items():
        text = f"{600 * quiet_share:.0f} / – / –"
        lines.append(f"| {package} (one metric, tolerance 5 pt) | {text} | {figure(alarm)} | {figure(let_pass)} |")
    lines += [f"\nNot run: {why}." for why in rivals.missing]
    return lines


def figure(value: Any) -> str:
    """A rate as .050."""
    return f"{float(value):.3f}".replace("0.", ".", 1)


def named(cell: tuple[str, int, float]) -> str:
    kind, n, rho = cell
    return f"{kind}, n = {n}, correlation {rho:g}"
