"""What the demo prints: what is going to happen, a line for each run, and what came of the month."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from shlex import quote
from textwrap import fill

from haetae.core.ledger import Ledger
from haetae.core.verdict import Verdict
from haetae.demo import threshold
from haetae.workbench.report import Report

HEADER = f"night  {'run':20} {'verdict':20} a threshold"
_INTRODUCTION = f"""\
A month of nightly evaluations, played in some minutes: {{nights}} nights of three applications.

  support-ko       answers from the help pages of a Korean shop
  docs-en          answers from the documentation of a tool, in English
  translate-ko-en  translations from Korean into English

Their models are small and called what they are: an extractive answerer, a translation memory, a
lexical judge; this command serves them on this machine. Each night every suite runs and is compared
with its baseline. Beside the verdict stands what a threshold would say: ALARM where the mean of a
gated metric is more than {threshold.POINTS} points of 100 lower.

All of it is kept in {{home}}
Ctrl-C stops the month; the same command goes on with it.
"""
_HAPPENED = {
    "support-ko": "its prompt was changed, and rolled back some nights later",
    "docs-en": "its judge was replaced by a stricter one; the application stayed as it was",
    "translate-ko-en": "nothing; its best night so far became the baseline, so that later ones look worse",
}


def introduction(nights: int, home: Path, address: str | None) -> str:
    """What is going to happen. `address` is where the dashboard will be, None for nowhere."""
    text = _INTRODUCTION.format(nights=nights, home=home)
    return text if address is None else f"{text}The dashboard will listen on {address} once the month is played.\n"


def line(report: Report, alarm: bool) -> str:
    """One run: its night, its verdict, and what a threshold would say."""
    said = report.comparison
    verdict = "the first baseline" if said is None or report.run.number == 1 else said.verdict.value
    return f"{report.run.started_at:%m-%d}  {report.run.id:20} {verdict:20} {'ALARM' if alarm else ''}".rstrip()


def reason(report: Report) -> str:
    """Why a run did not pass, in the words of its report."""
    said = report.comparison
    if said is None or report.run.number == 1 or said.verdict not in (Verdict.REGRESSION, Verdict.NO_VERDICT):
        return ""
    return f"{aside(said.reason)}\n{aside('what moved: ' + ', '.join(said.moved))}"


def aside(text: str) -> str:
    """What belongs to the run above: wrapped, and set off from its column."""
    return fill(text, 110, initial_indent=" " * 7, subsequent_indent=" " * 9, break_long_words=False)


def closing(ledger: Ledger, nights: int, home: Path) -> str:
    """What happened to each suite, what was said of it, what a threshold would have said, and where to look closer."""
    lines = ["", "What happened, and what was said:", ""]
    for suite, happened in _HAPPENED.items():
        runs = [run for run in ledger.runs(suite, limit=nights) if run.number > 1]
        said = [(run, found) for run in runs if (found := ledger.comparison(run.id)) is not None]
        alarms = sum(threshold.alarms(ledger, run, found.baseline[0]) for run, found in said)
        counts = Counter(found.verdict.value for _, found in said)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        lines += [
            f"  {suite:16} {happened}",
            f"  {'':16} {verdicts}; a threshold alarms on {alarms} of {len(said)} nights",
        ]
    return "\n".join([*lines, *_commands(ledger, nights, home)])


def _commands(ledger: Ledger, nights: int, home: Path) -> list[str]:
    """Ready for another terminal: the newest regression, or the newest run where there is none."""
    runs = [run.id for run in ledger.runs("support-ko", limit=nights)]
    fell = [run for run in runs if (said := ledger.comparison(run)) and said.verdict is Verdict.REGRESSION]
    here = f"  HAETAE_HOME={_shown(home)} {_shown(Path(sys.executable).parent / 'haetae')}"
    return [
        "",
        "Look closer, in another terminal:",
        "",
        f"{here} list runs --suite support-ko",
        f"{here} compare {[*fell, *runs][0]}",
        f"{here} dashboard",
    ]


def _shown(path: Path) -> str:
    """A path as a shell takes it, from this folder on where it lies inside."""
    here = Path.cwd()
    return quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
