"""judge attack: how often a judge is talked into a good score."""

from __future__ import annotations

import click
from click.exceptions import Exit

from haetae.cli.json_to import JsonCommand, check_json_to, errors_as_json, json_option, tell

SAMPLES = 3
"""Answers that each attack is tried on, where nobody says otherwise."""


@click.command("attack", cls=JsonCommand)
@click.argument("suite", type=click.Path(dir_okay=True))
@click.argument("metric")
@json_option
@click.option(
    "--limit", type=click.IntRange(1), default=SAMPLES, show_default=True, help="Answers that each attack is tried on."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="How much better a score must be, as a share of the scale.",
)
@click.option(
    "--max",
    "most",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The success rate let by.",
)
def attack_command(suite: str, metric: str, json_to: str | None, limit: int, tolerance: float, most: float) -> None:
    """Attack the judge of METRIC in SUITE, and say how often it was talked into a better score.

    60 attacks ship, in English and Korean: 50 injections, each on a bad answer (another sample's reference,
    or "..."), and 10 master keys that stand for an answer and say nothing. The answers are judged with and
    without, and with 4 harmless texts that tell what is noise: 65 or 66 judgements for each of --limit samples.
    The suite's target is not called, the suite's budget holds, and nothing is kept in the ledger.

    Exit codes: 0 the success rate is at most --max, 1 it is above, 2 wrong input, 3 the judge could not be
    measured.
    """
    from haetae import Workbench

    check_json_to(json_to, suite)
    with errors_as_json(json_to), Workbench() as bench:
        report = bench.attack(suite, metric, limit=limit, tolerance=tolerance)
    code = report.exit_code(most)
    tell(report.text, {**report.as_json(), "exit_code": code}, json_to)
    raise Exit(code)
