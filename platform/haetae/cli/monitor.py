"""monitor: the alarms over scheduled runs, of the ledger or of a plain file."""

from __future__ import annotations

import click
from click.exceptions import Exit

from haetae.cli.json_to import JsonCommand, check_json_to, errors_as_json, json_option, tell


@click.command("monitor", cls=JsonCommand)
@click.option("--suite", "suites", multiple=True, metavar="NAME", help="Only this suite of the ledger.")
@click.option("--history", metavar="FILE", help="Watch the runs of a score file instead of the ledger.")
@click.option(
    "--false-alarms-per-month",
    "budget",
    type=click.FloatRange(0, 1000, min_open=True, max_open=True),
    help="How many false alarms a month of nightly runs are accepted over all that is watched. "
    "Default HAETAE_FALSE_ALARMS_PER_MONTH, or 1.",
)
@click.option(
    "--lower-is-better", multiple=True, metavar="METRIC", help="With --history: a metric that is better when lower."
)
@json_option
def monitor_command(
    suites: tuple[str, ...],
    history: str | None,
    budget: float | None,
    lower_is_better: tuple[str, ...],
    json_to: str | None,
) -> None:
    """Say which metrics fell over the scheduled runs (`haetae run --fresh`), since which run, and in which slices.

    A drop is told apart from what the same samples do from run to run, under a budget of false alarms a
    month that all watched metrics share.

    A line of a history file is one of a score file with its suite and run: {"suite", "run", "id",
    "metric", "score": number or null}, and if need be "sample", "cluster", "tags" and "time". Runs are in
    the order of their times, or of their first lines.

    An alarm stands, new or still down (✗), until a rise as significant took back half of the drop or
    more: then it has recovered (·).

    Exit codes: 0 no alarm stands, 1 an alarm stands, whenever it was raised, 2 wrong input, 3 nothing can
    be said: fewer than two runs, or too few scores in a newest one.
    """
    from haetae.settings import load_settings

    check_json_to(json_to, history)
    with errors_as_json(json_to):
        settings = load_settings()
        accepted = settings.false_alarms_per_month if budget is None else budget
        if history is not None:
            if suites:
                raise click.UsageError("--suite goes with the ledger; a history file is watched whole")
            from haetae.workbench.scores.watch import watch_file

            said = watch_file(history, accepted, lower_is_better)
        else:
            if lower_is_better:
                raise click.UsageError("--lower-is-better goes with --history; a suite's metrics know it")
            from haetae import Workbench

            with Workbench(settings) as bench:
                said = bench.monitor(suites or None, budget=accepted)
    tell(said.text, said.as_json(), json_to)
    raise Exit(said.exit_code)
