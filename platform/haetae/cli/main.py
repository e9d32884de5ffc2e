"""The `haetae` command. Each command lives in a module that is imported when it is called."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from importlib import import_module
from typing import Any

_INTERRUPTED = "interrupted; what was finished is kept, the same command goes on\n"

try:
    import click
except KeyboardInterrupt:  # of all that is imported before the first command, this takes the longest
    sys.stderr.write(_INTERRUPTED)
    sys.exit(3)

_COMMANDS = {
    "init": ("haetae.cli.start", "Make a first suite in a folder, ready to run."),
    "demo": ("haetae.cli.start", "Play a month of nightly runs on an embedded server, without a key."),
    "doctor": ("haetae.cli.doctor", "Check this installation and its servers, and say what to mend."),
    "check": ("haetae.cli.run", "Check a suite and say what a run would do; nothing is called."),
    "run": ("haetae.cli.run", "Run a suite: generate, score, estimate, compare, report."),
    "work": ("haetae.cli.work", "Work on a run that another process or machine has started in shards."),
    "resume": ("haetae.cli.resume", "Continue a run that was interrupted or killed."),
    "gate": ("haetae.cli.gate", "Run a suite, or compare two score files, and exit by the verdict."),
    "compare": ("haetae.cli.run", "Compare two runs, or a run with its baseline."),
    "schedule": ("haetae.cli.schedule", "When suites are due by their schedule, and what is due now."),
    "alerts": ("haetae.cli.alerts", "What people were told of, by which addresses, and whether those work."),
    "deploy": ("haetae.cli.deploy", "Put suites on a Prefect server, for workers of a pool."),
    "monitor": ("haetae.cli.monitor", "Say which metrics fell over the scheduled runs, and since when."),
    "judge": ("haetae.cli.judge", "Hold a judge against people (labels, correction, agreement) and attacks."),
    "guard": ("haetae.cli.guard", "Say which stage of a guard earns its price."),
    "promote": ("haetae.cli.promote", "Make a run the baseline of its suite, or gate a version and move its alias."),
    "register": ("haetae.cli.registry", "Register a model, prompt or dataset file as an immutable version."),
    "alias": ("haetae.cli.registry", "Point an alias at a registered version, without a gate."),
    "diff": ("haetae.cli.registry", "Show what differs between two registered versions."),
    "metrics": ("haetae.cli.metrics", "List the metrics that a suite can name, or describe one."),
    "list": ("haetae.cli.look", "List suites, runs, models, prompts or datasets."),
    "show": ("haetae.cli.look", "Show a run, or a registered version."),
    "export": ("haetae.cli.look", "Write a run's samples and scores to a file."),
    "sync": ("haetae.cli.look", "Deliver to the trackers what they have missed; let registries follow each other."),
    "cache": ("haetae.cli.cache", "Show what is kept on disk and what reuse saved; prune old runs."),
    "backup": ("haetae.cli.backup", "Copy the ledger, also while runs write it."),
    "dashboard": ("haetae.cli.look", "Start the dashboard on this machine."),
}


_FIRST_OBJECTS = 500_000
"""Before the first look for garbage in cycles: imports make about as many, and next to none of them is garbage;"""
_NEW_OBJECTS = 20_000
"""and between two looks from then on."""


class _Lazy(click.Group):
    """A group whose help is shown without importing its commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would exit with 1, which says "regression" here
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(3) from None
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as exc:  # commands leave with click's Exit: this was raised by code of others
            from haetae.engine.contained import as_exception

            raise as_exception(exc) from exc


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="haetae")
def haetae() -> None:
    """Tell a real regression from noise.

    Exit codes: 0 pass, 1 regression, 2 wrong usage or input, 3 no verdict.
    """


def main() -> None:
    """The entry point: every error of the package becomes a message and an exit code.

    What nobody foresaw exits with 3: it is never taken for a regression, nor for a pass. SIGTERM ends a command as
    Ctrl-C does; while a run is evaluated, both let what is in flight finish.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.set_threshold(_FIRST_OBJECTS)
    gc.callbacks.append(_look_at_what_is_new)
    atexit.register(gc.freeze)  # what is left then goes with the process: no cycle in it need be looked for
    try:
        sys.exit(haetae(prog_name="haetae", standalone_mode=False))
    except click.ClickException as exc:
        exc.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):  # click makes the one of the other
        click.echo(_INTERRUPTED, err=True, nl=False)
        sys.exit(3)
    except Exception as exc:
        text, code = _said_of(exc)
        click.echo(text, err=True)
        sys.exit(code)


def _look_at_what_is_new(phase: str, _told: dict[str, int]) -> None:
    """Called at the start and the end of the first look for garbage: what is there stays, and is not looked at."""
    if phase == "start":
        gc.freeze()
    else:
        gc.set_threshold(_NEW_OBJECTS)
        gc.callbacks.remove(_look_at_what_is_new)


def _said_of(exc: Exception) -> tuple[str, int]:
    """What is printed of an error, and the exit code."""
    import traceback  # nothing of this is needed by the help, nor by a command that ends well

    from haetae.cli.printing import plain
    from haetae.core.secrets import redact
    from haetae.errors import HaetaeError

    if isinstance(exc, HaetaeError):
        return plain(f"haetae: {exc}"), exc.exit_code
    if isinstance(exc, OSError):
        return plain(f"haetae: {exc}"), 3
    return plain(redact("".join(traceback.format_exception(exc)))), 3
