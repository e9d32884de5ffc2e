"""cache, and cache prune."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from haetae.cli.printing import plain, print_json
from haetae.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from haetae.core.run import Run

_MOST_LISTED = 20
_AGE = re.compile(r"([1-9][0-9]{0,4})\s*([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class _Age(click.ParamType[timedelta]):
    """90d, 12w, 36h."""

    name = "age"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = _AGE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not an age; write days, weeks or hours: 90d, 12w, 36h", param, ctx)
        return timedelta(hours=int(found[1]) * _HOURS[found[2]])


@click.group("cache", invoke_without_command=True)
@_json
@click.pass_context
def cache_command(context: click.Context, as_json: bool) -> None:
    """Show what is kept on disk and what reuse has saved; with prune, delete old runs."""
    if context.invoked_subcommand is not None:
        return
    from haetae import Workbench
    from haetae.workbench.caching import cache_of

    with Workbench(readonly=True) as bench:
        cache = cache_of(bench.ledger, bench.settings)
    if as_json:
        print_json(cache.as_json())
    else:
        click.echo(plain(cache.text))


@cache_command.command("prune")
@click.option("--older-than", type=_Age(), metavar="AGE", help="Runs that started longer ago: 90d, 12w, 36h.")
@click.option("--keep-last", type=click.IntRange(0), metavar="N", help="All but the newest N runs of each suite.")
@click.option("--suite", metavar="NAME", help="Only runs of this suite.")
@click.option("--run", "runs", metavar="RUN", multiple=True, help="This run; may be repeated.")
@click.option("--annotated", is_flag=True, help="Runs that people labelled, too; their labels go with them.")
@click.option("--compact", "compacting", is_flag=True, help="Then write the ledger anew, without gaps; others wait.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted and what is kept; delete nothing.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@_json
def prune_command(
    older_than: timedelta | None,
    keep_last: int | None,
    suite: str | None,
    runs: tuple[str, ...],
    annotated: bool,
    compacting: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete whole runs, then the samples that no run refers to any more.

    Kept whatever is asked: baselines, the last finished and the newest run of each suite, what a tracker has yet to
    be told of, what is being worked on, and (without --annotated) what people labelled. An answer that a kept run
    has as well stays to be reused. The monitor looks back only over runs that are there.
    """
    from haetae import Workbench
    from haetae.store.pruning.compacting import compact
    from haetae.workbench.caching import size_text
    from haetae.workbench.old_runs import chosen
    from haetae.workbench.words import counted

    asked = older_than is not None or keep_last is not None or suite is not None
    if runs and asked:
        raise click.UsageError("--run names runs one by one: without --older-than, --keep-last and --suite")
    with Workbench() as bench:
        ledger = bench.ledger
        if not (runs or asked or compacting or ledger.pruned()):
            ways = "--older-than 90d, --keep-last 10, --suite NAME or --run RUN"
            raise ConfigError(f"say which runs: {ways}; with --dry-run beside it nothing is deleted")
        before = None if older_than is None else datetime.now(UTC) - older_than
        found = chosen(ledger, before=before, keep_last=keep_last, suite=suite, runs=runs)
        kept = ledger.kept([run.id for run in found], annotated=annotated)
        going = [run for run in found if run.id not in kept]
        if not as_json:
            click.echo(plain("\n".join(_lines(going, kept))))
        deleted: Mapping[str, int] = {}
        if not dry_run:
            _confirm(going, yes, as_json)
            if going or ledger.pruned():
                click.echo("deleting; when it is stopped, haetae cache prune goes on", err=True)
                deleted = ledger.prune([run.id for run in going], annotated=annotated)
        sizes = compact(bench.settings.ledger) if compacting and not dry_run else None
    if as_json:
        names = [run.id for run in going]
        print_json({"runs": names, "kept": dict(kept), "deleted": dict(deleted), "compacted_bytes": sizes})
        return
    if deleted:
        told = ", ".join(counted(count, _NAMES[table]) for table, count in deleted.items())
        click.echo(f"deleted: {told}")
    if sizes is not None:
        click.echo(f"the ledger was {size_text(sizes[0])}, it is {size_text(sizes[1])}")


_NAMES = {"run": "run", "generation": "answer", "score": "score", "sample": "sample"}


def _confirm(going: Sequence[Run], yes: bool, as_json: bool) -> None:
    """Ask, unless there is nothing to lose or it was said already; where nobody can answer, --yes must be said."""
    if not going or yes:
        return
    if as_json or not sys.stdin.isatty():
        raise ConfigError("nothing was deleted: add --yes to delete without being asked, or --dry-run")
    click.confirm("Delete them?", abort=True, err=True)


def _lines(going: Sequence[Run], kept: Mapping[str, str]) -> list[str]:
    shown = [f"  {run.id}  {run.status.value}  {run.started_at:%Y-%m-%d %H:%M}" for run in going[:_MOST_LISTED]]
    more = [f"  and {len(going) - _MOST_LISTED:,} more"] if len(going) > _MOST_LISTED else []
    held = [f"  {run_id}  {why}" for run_id, why in kept.items()]
    return [
        *([f"to delete ({len(going):,}):", *shown, *more] if going else ["no run to delete"]),
        *([f"kept ({len(kept):,}):", *held] if kept else []),
    ]
