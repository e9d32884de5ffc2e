"""Where a gate tells its verdict: standard output, and the files and annotations of continuous integration."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from haetae.cli.json_to import STDOUT, errors_as_json, tell
from haetae.core.canonical import Json

if TYPE_CHECKING:
    from haetae.workbench.ci.said import Said

_JUNIT, _MARKDOWN = b'<testsuites name="haetae"', b"<!-- haetae gate -->"
_START = 100
"""Bytes within which a report says that it is ours."""
_UNFINISHED = "The gate did not come to its end: it was killed, or the machine stopped"


@dataclass(frozen=True)
class Outlets:
    """What was asked for on the command line. `json_to` and `markdown` are "-" to print instead of the text."""

    json_to: str | None
    junit: str | None
    markdown: str | None
    annotations: bool

    def __post_init__(self) -> None:
        if self.json_to == self.markdown == STDOUT:
            raise click.UsageError("--json and --markdown - both print; name a file for one of them")

    @contextmanager
    def gating(self, title: str, again: str) -> Iterator[None]:
        """The time of a gate: whatever happens in it, the files say the truth afterwards.

        They are written at once, with no verdict: a killed gate leaves no verdict of yesterday, and a folder
        that cannot be written is found before anything is spent. An error is told, and goes on to its exit code.
        """
        with errors_as_json(self.json_to):
            if not (self.junit or self.markdown or self.annotations):
                yield
                return
            from haetae.workbench.ci.said import no_verdict, said_of_error

            self._write(no_verdict(title, _UNFINISHED, again))
            try:
                yield
            except Exception as exc:
                said = said_of_error(exc, title, again)
                with suppress(OSError):  # the error itself is what must be known
                    self._write(said)
                if self.markdown == STDOUT:
                    click.echo(self._printed(said, ""))
                self._annotate(said)
                raise

    def tell(self, said: Said, text: str, document: Json) -> None:
        """Write the files, and print the report's text, its Markdown or its document."""
        self._write(said)
        tell(self._printed(said, text), document, self.json_to)
        self._annotate(said)

    def _printed(self, said: Said, text: str) -> str:
        """What a person reads on standard output."""
        if self.markdown == STDOUT:
            from haetae.workbench.ci.markdown import markdown

            return markdown(said).rstrip()
        if self.annotations:
            from haetae.workbench.ci.annotations import silenced

            return silenced(text, secrets.token_hex(16))
        return text

    def _write(self, said: Said) -> None:
        if self.junit is not None:
            from haetae.workbench.ci.junit import junit

            _replace(Path(self.junit), junit(said))
        if self.markdown is not None and self.markdown != STDOUT:
            from haetae.workbench.ci.markdown import markdown

            _replace(Path(self.markdown), markdown(said))

    def _annotate(self, said: Said) -> None:
        """After the text, in its stream: GitHub reads two streams in no certain order. A document's has no room."""
        if self.annotations:
            from haetae.workbench.ci.annotations import workflow_commands

            for command in workflow_commands(said):
                click.echo(command, err=STDOUT in (self.json_to, self.markdown))


def ci_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a gate for continuous integration; the command gets them and --json as `outlets`."""

    @click.option("--junit", metavar="FILE.xml", callback=_ends_in(".xml", _JUNIT), help="Write JUnit XML.")
    @click.option(
        "--markdown",
        metavar="FILE.md",
        callback=_ends_in(".md", _MARKDOWN, STDOUT),
        help="Write Markdown; - prints it.",
    )
    @click.option("--annotations", is_flag=True, help="Print GitHub's workflow commands, which mark the suite's lines.")
    @wraps(command)
    def with_outlets(
        json_to: str | None, junit: str | None, markdown: str | None, annotations: bool, **rest: Any
    ) -> None:
        command(outlets=Outlets(json_to, junit, markdown, annotations), **rest)

    return with_outlets


def _ends_in(
    ending: str, sign: bytes, *also: str
) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A check of the file, so that no suite, no score file, no README and no other tool's results are written over:
    its name has this ending, and if it is there, it is empty or has the `sign` of an earlier report near its start.
    """

    def check(ctx: click.Context, parameter: click.Parameter, file: str | None) -> str | None:
        if file is None or file in also:
            return file
        if not file.endswith(ending):
            raise click.BadParameter(f"{file!r} does not end in {ending}")
        if Path(file).exists() and not _is_ours(Path(file), sign):
            raise click.BadParameter(f"{file!r} exists and is no report of haetae; name another file")
        return file

    return check


def _is_ours(file: Path, sign: bytes) -> bool:
    """Whether a file is an earlier report, or empty."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        start = stream.read(_START)
    return not start or sign in start


def _replace(file: Path, text: str) -> None:
    """Write a whole file, or leave what was there; folders on the way are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
