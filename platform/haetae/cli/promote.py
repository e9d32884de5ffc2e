"""promote: a run as the baseline of its suite, or a model or prompt version through the gates that use its alias."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
from click.exceptions import Exit

from haetae.cli.printing import plain, print_json
from haetae.cli.progress import watching

_FORCE = click.option("--force", is_flag=True, help="Promote against the verdict; needs --reason.")
_REASON = click.option("--reason", metavar="WHY", help="Why the verdict is overruled; kept in the history.")


class _RunOrVersion(click.Group):
    """What is neither `model` nor `prompt` is a run, whose id has a dot."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group(
    "promote",
    cls=_RunOrVersion,
    context_settings={"ignore_unknown_options": True},
    subcommand_metavar="RUN | model REF ALIAS | prompt REF ALIAS",
)
def promote_command() -> None:
    """Make RUN the baseline of its suite; or move ALIAS to a model or prompt, once all suites that use it pass.

    \b
        haetae promote support-bot.12
        haetae promote model support-llm@candidate production suites/
        haetae promote prompt support-answer@4 production suites/

    A run whose verdict against the baseline is no pass is refused, also an inconclusive one: of it nothing was shown.
    `--force --reason WHY` promotes none the less, and the reason is kept.
    """


@promote_command.command("run")
@click.argument("run")
@click.option("--baseline", default="production", show_default=True, help="Which named baseline to move.")
@_FORCE
@_REASON
def run_command(run: str, baseline: str, force: bool, reason: str | None) -> None:
    """Make RUN the baseline of its suite; `haetae promote RUN` is the same.

    Exit codes: 0 it is, 1 refused as a regression, 2 wrong input, 3 refused without a verdict or as inconclusive.
    """
    from haetae import Workbench

    reason = _checked(force, reason)
    with Workbench() as bench:
        promoted = bench.promote(run, baseline, reason=reason)
    click.echo(plain(f"{promoted.id} is now the baseline {baseline!r} of {promoted.suite}"))


def _version_command(kind: str) -> click.Command:
    @promote_command.command(kind)
    @click.argument("reference", metavar="REF")
    @click.argument("alias")
    @click.argument("places", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[SUITE|FOLDER]...")
    @click.option("--baseline", is_flag=True, help="Make the runs that passed the baselines of their suites as well.")
    @_FORCE
    @_REASON
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("--quiet", is_flag=True, help="No progress.")
    @click.option("--no-track", is_flag=True, help="Tell no tracker.")
    def command(
        reference: str,
        alias: str,
        places: tuple[Path, ...],
        baseline: bool,
        force: bool,
        reason: str | None,
        as_json: bool,
        quiet: bool,
        no_track: bool,
    ) -> None:
        from haetae import Workbench
        from haetae.cli.moved import tell
        from haetae.core.reference import Kind

        reason = _checked(force, reason)
        with Workbench() as bench, watching(quiet, None) as watcher:
            said = bench.promote_version(
                cast(Kind, kind),
                reference,
                alias,
                places or (Path(),),
                reason=reason,
                baseline=baseline,
                watcher=watcher,
                track=not no_track,
            )
            tell(bench, [said.move] if said.move else [])
        if as_json:
            print_json(said.as_json())
        else:
            click.echo(plain(said.text))
        raise Exit(said.exit_code)

    command.help = f"""Gate the {kind} REF (name@candidate) in every suite that uses name@ALIAS, and move ALIAS to it.

    The suites are looked for in files and folders (default: this one). The alias moves only where all pass, and only
    if it and REF still mean then what they meant when the gates began. `haetae alias` moves it without a gate.

    Exit codes: 0 the alias points at it; else the worst of the gates: 2 wrong input, 1 regression, 3 no verdict or
    inconclusive.
    """
    return command


for _kind in ("model", "prompt"):
    _version_command(_kind)


def _checked(force: bool, reason: str | None) -> str | None:
    """The reason to overrule a verdict, None where none is to be overruled."""
    from haetae.workbench.registry.overruling import given

    if force and given(reason) is None:
        raise click.UsageError("--force needs --reason WHY, which is kept in the history")
    if reason and not force:
        raise click.UsageError("--reason goes with --force: without it nothing is overruled")
    return given(reason)
