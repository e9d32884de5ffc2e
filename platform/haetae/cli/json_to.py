"""--json, alone for standard output or with a file to write; valid whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from click.exceptions import Exit

from haetae.cli.printing import plain, print_json
from haetae.core.canonical import Json, loads

STDOUT = "-"
_UNFINISHED = "the command did not come to its end: it was killed, or the machine stopped"
_REPORTS = frozenset({"verdict", "alarms", "agreement", "estimate", "attack_success"})
_PARTS = frozenset({"results", "run", "labels", "repeats"})
"""Top fields by which our documents are known: any of the first, or none but the second."""

json_option = click.option(
    "--json", "json_to", metavar="[FILE.json]", help="Print one JSON document, or write it to FILE.json."
)


class JsonCommand(click.Command):
    """A command with `json_option`: only an argument that ends in .json, right after --json, is its file.

    So `--json suite.yaml` prints and never writes over a suite.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_joined(args)))


def _joined(args: list[str]) -> Iterator[str]:
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            yield arg
            yield from rest
        elif arg != "--json":
            yield arg
        else:
            following = next(rest, None)
            if following is not None and following.endswith(".json") and not following.startswith("-"):
                yield f"--json={following}"
            else:
                yield f"--json={STDOUT}"
                yield from _joined([following, *rest] if following is not None else [])


def check_json_to(json_to: str | None, *inputs: str | None) -> None:
    """Raises a usage error where writing the document would destroy an input, or a file of anyone else: what
    stands after --json by mistake is a suite, or the results of another tool.
    """
    if json_to in (None, STDOUT):
        return
    target = Path(str(json_to))
    for given in filter(None, inputs):
        if target.resolve() == Path(given).resolve():
            raise click.UsageError(f"--json {json_to} would write over an input; name another file")
    if target.suffix != ".json":
        raise click.UsageError(f"--json {json_to}: the file ends in .json")
    if target.exists() and not target.is_file():
        raise click.UsageError(f"--json {json_to}: this is not a regular file; name another one")
    if target.exists() and not _is_ours(target):
        raise click.UsageError(f"--json {json_to}: this file exists and is no report of haetae; name another file")


def _is_ours(target: Path) -> bool:
    """Whether a file is an earlier document of a command with `json_option`, or empty."""
    raw = target.read_bytes()
    try:
        document = loads(raw) if raw else {}
    except ValueError:
        return False
    return isinstance(document, dict) and (not _REPORTS.isdisjoint(document) or document.keys() <= _PARTS)


def tell(text: str, document: Json, json_to: str | None) -> None:
    """The document where it was asked for; the text on standard output unless the document is there."""
    if json_to is not None:
        write_json(document, json_to)
    if json_to != STDOUT:
        click.echo(plain(text))


def write_json(value: Json, json_to: str) -> None:
    """Print the document, or write it whole: what was there stays until it is finished."""
    if json_to == STDOUT:
        print_json(value)
        return
    import orjson

    target = Path(json_to)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
    )
    partial.replace(target)


@contextmanager
def errors_as_json(json_to: str | None) -> Iterator[None]:
    """An error is told as a document too, and goes on to its exit code: no file is left with an older verdict.

    A file is written at once, with no verdict: a killed command leaves none of yesterday, and a file that
    cannot be written is found before anything is spent.
    """
    if json_to not in (None, STDOUT):
        write_json({"verdict": "no verdict", "error": _UNFINISHED, "exit_code": 3}, str(json_to))
    try:
        yield
    except Exit:  # the command has told all, and leaves
        raise
    except Exception as exc:
        if json_to is not None:
            told = str(exc) if hasattr(exc, "exit_code") else f"{type(exc).__name__}: {exc}"
            with suppress(OSError):  # the error itself is what must be known
                write_json({"verdict": "no verdict", "error": told, "exit_code": getattr(exc, "exit_code", 3)}, json_to)
        raise
