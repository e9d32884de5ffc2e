"""register, alias, diff."""

from __future__ import annotations

from typing import cast

import click

from haetae.cli.moved import tell
from haetae.cli.printing import plain, print_json

_kind = click.argument("kind", type=click.Choice(["model", "prompt", "dataset"]))


@click.command("register")
@_kind
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--name", help="Its name; default the file's, up to the first dot.")
@click.option("--alias", help="Also point this alias at the version.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def register_command(kind: str, file: str, name: str | None, alias: str | None, as_json: bool) -> None:
    """Register FILE as a version of a model, prompt or dataset. The same content is the same version."""
    from haetae import Workbench
    from haetae.core.reference import Kind

    with Workbench() as bench:
        version, new = bench.register(cast(Kind, kind), file, name)
        if alias:
            tell(bench, [move] if (move := bench.move(cast(Kind, kind), version.reference, alias)) else [])
            version = bench.version(cast(Kind, kind), version.reference)
    if as_json:
        print_json({"reference": version.reference, "digest": version.digest, "new": new, "aliases": version.aliases})
    else:
        click.echo(f"{kind} {version.reference} {'registered' if new else 'is there already, with the same content'}")


@click.command("alias")
@_kind
@click.argument("reference")
@click.argument("alias")
def alias_command(kind: str, reference: str, alias: str) -> None:
    """Point ALIAS at the version that REFERENCE (name@3) names now. Nothing is gated: `haetae promote` does that."""
    from haetae import Workbench
    from haetae.core.reference import Kind

    with Workbench() as bench:
        tell(bench, [move] if (move := bench.move(cast(Kind, kind), reference, alias)) else [])
        version = bench.version(cast(Kind, kind), reference)
    click.echo(f"{version.name}@{alias} is now {version.reference}")


@click.command("diff")
@_kind
@click.argument("before")
@click.argument("after")
def diff_command(kind: str, before: str, after: str) -> None:
    """Show what differs between two versions (name@3 name@4)."""
    from haetae import Workbench
    from haetae.core.reference import Kind

    with Workbench() as bench:
        text = bench.diff(cast(Kind, kind), before, after)
    click.echo(plain(text) or "no difference")
