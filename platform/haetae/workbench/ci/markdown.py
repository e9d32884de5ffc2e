"""A gate's verdict as Markdown: a step summary, or a comment that a reviewer understands in ten seconds."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.workbench.ci.escaping import in_markdown, one_line
from haetae.workbench.ci.said import Case, Said, cases
from haetae.workbench.report import MARKS
from haetae.workbench.words import figure, interval, of_slices, points, pooled, tolerance

MARKER = "<!-- haetae gate -->"
"""The first line, by which a later run finds the comment that it replaces."""
_ORDER = (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.NO_VERDICT, Verdict.PASS)
_NAME, _NOTE, _REMARK, _SENTENCE = 60, 80, 150, 1000
"""Characters of a name, of a note beside a verdict, of a remark and of the sentence."""
_FOLDED, _ROWS, _MOVERS, _LINES = 4, 15, 5, 5
"""Passes beyond the first are folded; rows of a table; samples; lines of a list. A comment has 65,536 characters."""
_HEADER = (
    "| | metric | baseline | candidate | difference | 95 % interval | tolerance | verdict |\n"
    "|---|---|--:|--:|--:|--:|--:|---|"
)


def markdown(said: Said) -> str:
    """Verdict and sentence, the table with intervals, what changed, who moved most, the cost, how to do it again.

    Regressions come first. Where there are many passes, or the verdict is none that samples explain, they are
    folded. Everything that data or models wrote is shown as text. It fits into one comment.
    """
    verdict = said.comparison.verdict
    word = "Skipped" if said.skipped else verdict.value.capitalize()
    blocks = [
        MARKER,
        f"### {MARKS[verdict]} {word}: {in_markdown(said.title, _NAME)}",
        *_bold(said.comparison.reason),
        *_context(said.comparison),
        *_table(said),
        *([slices] if (slices := of_slices(said.comparison)) else []),
        *_changes(said.comparison),
        *_movers(said),
        *_listed("Without a score", said.unscored),
        *([f"**Spent:** {in_markdown(said.cost, _REMARK)}"] if said.cost else []),
        f"To reproduce:\n\n```sh\n{one_line(said.again)}\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def _bold(reason: str) -> list[str]:
    lines = [line.strip() for line in reason.splitlines() if line.strip()][:_LINES]
    return ["\\\n".join(f"**{in_markdown(line, _SENTENCE // len(lines))}**" for line in lines)] if lines else []


def _context(said: Comparison) -> list[str]:
    """Which runs were compared, and how the gate came to its end."""
    parts = []
    if said.baseline:
        parts.append(f"{_code(said.candidate)} against {_code(said.baseline[0])}{pooled(said)}")
    if said.note:
        parts.append(in_markdown(said.note, _REMARK))
    if said.restricted:
        parts.append("restricted: the runs differ where they must not, only their common samples were compared")
    return [" · ".join(parts)] if parts else []


def _table(said: Said) -> list[str]:
    """The rows that did not pass; the passes with them where they are few, else folded."""
    found = sorted(
        (case for case in cases(said) if case.difference is not None), key=lambda case: _ORDER.index(case.verdict)
    )
    passes = [case for case in found if case.verdict is Verdict.PASS]
    if len(passes) <= _FOLDED:
        return _rows(said, found)
    shown = [case for case in found if case.verdict is not Verdict.PASS]
    return [*_rows(said, shown), *_fold(f"{len(passes)} comparisons pass", _rows(said, passes))]


def _rows(said: Said, found: Sequence[Case]) -> list[str]:
    if not found:
        return []
    rows = [_row(said, case, case.difference) for case in found[:_ROWS] if case.difference is not None]
    more = [f"and {len(found) - _ROWS} more; `--json` and `--junit` name them all"] if len(found) > _ROWS else []
    return ["\n".join([_HEADER, *rows]), *more]


def _row(said: Said, case: Case, d: Difference) -> str:
    facts = said.facts[d.metric]
    change = "none" if d.delta is None else points(d.delta, facts, sign=True)
    verdict = f"{case.verdict.value}: {d.note}" if d.note else case.verdict.value
    cells = (
        MARKS[case.verdict],
        in_markdown(case.name, _NAME),
        figure(d.baseline),
        figure(d.candidate),
        _unbroken(change),
        _unbroken(interval(d, facts).removesuffix(" points")),
        _unbroken(tolerance(d, facts)),
        in_markdown(verdict, _NOTE),
    )
    return f"| {' | '.join(cells)} |"


def _changes(said: Comparison) -> list[str]:
    """What the verdict is put down to, what the runs differ in, and what a reader is warned of."""
    return [
        *([f"**What moved:** {in_markdown(', '.join(said.moved), _REMARK)}"] if said.moved else []),
        *_listed("What changed", said.changed),
        *_listed("Warnings", said.warnings),
    ]


def _movers(said: Said) -> list[str]:
    """The samples that moved most, the worst first; folded where the verdict is no regression."""
    movers = said.comparison.movers[:_MOVERS]
    if not movers:
        return []
    rows = [
        f"| {_code(m.sample_id)} | {in_markdown(m.metric, _NAME)} | {figure(m.baseline)} → {figure(m.candidate)} |"
        for m in movers
    ]
    table = "\n".join(["| sample | metric | before → after |", "|---|---|---|", *rows])
    if said.comparison.verdict is Verdict.REGRESSION:
        return ["**Samples that moved most**", table]
    return _fold("Samples that moved most", [table])


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    """One paragraph: a line of its own could begin with what Markdown takes for a heading or a list."""
    if not lines:
        return []
    more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    return [f"**{title}:** " + "<br>".join([*(in_markdown(line, _REMARK) for line in lines[:_LINES]), *more])]


def _fold(summary: str, blocks: Sequence[str]) -> list[str]:
    return [f"<details><summary>{summary}</summary>", *blocks, "</details>"]


def _code(text: str) -> str:
    return f"<code>{in_markdown(text, _NAME)}</code>"


def _unbroken(numbers: str) -> str:
    return numbers.replace(" ", "\u00a0")
