"""--model and --prompt: another target for a suite."""

from __future__ import annotations

from collections.abc import Callable

import click

_OPTIONS = (
    click.option("--model", metavar="REF", help="Evaluate this model (name@candidate) in the place of the suite's."),
    click.option("--prompt", metavar="REF", help="Evaluate this prompt (name@3) in the place of the suite's."),
)


def instead_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options; the command gets them as `model` and `prompt`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
