"""The Prefect server is told that an alias has moved, where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from haetae.cli.printing import plain

if TYPE_CHECKING:
    from haetae import Workbench
    from haetae.core.registry import AliasMove


def tell(bench: Workbench, moves: Sequence[AliasMove]) -> None:
    """Tell each move. The alias has moved whatever becomes of this: what could not be told is a line, and no error."""
    if not moves or not bench.settings.env.get("PREFECT_API_URL"):
        return
    from haetae.core.secrets import redact
    from haetae.flows.events import alias_moved

    for move in moves:
        why = alias_moved(bench.settings.env, move.kind, move.name, move.alias, move.number, move.before)
        if why is not None:
            click.echo(plain(f"haetae: {redact(why)}"), err=True)
            return  # nor would it hear of the others
