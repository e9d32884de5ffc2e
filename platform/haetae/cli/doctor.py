"""doctor."""

from __future__ import annotations

import click
from click.exceptions import Exit


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor_command(as_json: bool) -> None:
    """Check this installation and its servers: the ledger, MLflow, W&B, Prefect, disk, clocks and keys.

    Says of each what was found and what to do. Nothing is changed and no model is called; a server that does not
    answer costs a few seconds.

    Exit codes: 0 nothing needs mending, 3 something does.
    """
    from haetae.cli.printing import plain, print_json
    from haetae.settings import load_settings
    from haetae.workbench.doctor.examine import examine

    found = examine(load_settings())
    if as_json:
        print_json([{"about": e.about, "level": e.finding.level, "message": e.finding.message} for e in found])
    else:
        click.echo(plain("\n".join(f"{e.finding.level:8} {e.finding.message}" for e in found)))
    if any(each.finding.level == "problem" for each in found):
        raise Exit(3)
