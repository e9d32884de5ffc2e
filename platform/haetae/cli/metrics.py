"""metrics: what there is to score with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from haetae.cli.printing import plain, print_json, print_table

if TYPE_CHECKING:
    from haetae.workbench.metric_pages import MetricPage


@click.command("metrics")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the reference of all metrics; loads every one that it can.")
def metrics_command(name: str | None, as_json: bool, markdown: bool) -> None:
    """List the metrics that a suite can name, or describe the one called NAME."""
    from haetae.workbench.metric_pages import listed, page_of, pages

    if markdown:
        if name is not None or as_json:
            raise click.UsageError("--markdown prints all metrics: it goes with no NAME and no --json")
        from haetae.workbench.metric_reference import reference

        shown = list(pages())
        click.echo(reference(shown), nl=False)
        for page in shown:
            if page.lacks:
                click.echo(plain(f"{page.name} is told from its source, without its facts: {page.lacks}"), err=True)
    elif name is None:
        found = listed()
        if as_json:
            print_json([{"name": kind, "summary": summary} for kind, summary in found.items()])
        else:
            print_table(("metric", "what it says"), found.items())
    elif as_json:
        print_json(page_of(name).as_json())
    else:
        _print(page_of(name))


def _print(page: MetricPage) -> None:
    lines = "\n".join(f"  {line}" for line in (page.written, page.with_parameters) if line)
    korean = [f"ko: {page.korean}"] if page.korean else []
    parts = [page.name, page.doc, *korean, f"In a suite\n{lines}", *page.extras]
    if page.lacks:
        parts.append(page.lacks)
    if page.facts is not None:
        parts.append(f"Known as\n  {page.facts.text}: {', '.join(page.said)}")
    click.echo(plain("\n\n".join(parts)))
    if page.parameters:
        click.echo("\nParameters")
        rows = ((f"  {name}", takes, default and f"default {default}") for name, takes, default in page.parameters)
        print_table(("  name", "takes", ""), rows)
