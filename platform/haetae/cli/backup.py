"""backup."""

from __future__ import annotations

from pathlib import Path

import click

from haetae.cli.printing import plain, print_json

_SHOWN = {"run": "run", "generation": "answer", "score": "score"}


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def backup_command(file: Path | None, as_json: bool) -> None:
    """Copy the ledger to FILE, also while runs write it; default ledger.db.bak beside it.

    The copy is looked through before it takes the place of an older one. Registered datasets are files of their own,
    in the folder datasets beside the ledger.
    """
    from haetae.settings import load_settings
    from haetae.store.backup import backup_ledger
    from haetae.workbench.caching import size_text
    from haetae.workbench.words import counted

    copy, rows = backup_ledger(load_settings().ledger, file)
    size = copy.stat().st_size
    if as_json:
        print_json({"file": str(copy), "bytes": size, "rows": dict(rows)})
        return
    held = ", ".join(counted(rows[table], name) for table, name in _SHOWN.items())
    click.echo(plain(f"{copy}: {size_text(size)}, {held}; whole, and counted against the ledger"))
