"""gate --baseline-scores A --candidate-scores B: the options of two score files, and the command on them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import click

from haetae.cli.ci import Outlets
from haetae.cli.scales import Bounds, scale_fault, scale_of_option, scale_option

_OPTIONS = (
    click.option("--baseline-scores", metavar="FILE", help="The scores to compare with."),
    click.option("--candidate-scores", metavar="FILE", help="The scores to be judged."),
    click.option(
        "--margin",
        type=click.FloatRange(0, math.inf, max_open=True),
        help="The drop that is tolerated, on the scale brought to 0…1: 0.05 is 5 points of 100. Default 0.03.",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
        help="False alarms over all metrics and slices together. Default 0.05.",
    ),
    scale_option,
    scale_of_option,
    click.option("--lower-is-better", multiple=True, metavar="METRIC", help="A metric that is better when lower."),
    click.option(
        "--slice",
        "slices",
        multiple=True,
        metavar="TAG",
        help="Gate every value of this tag too. Default: the tags with 2 to 20 values.",
    ),
)


def score_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a gate on score files; the command gets them as the fields of `ScoreOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class ScoreOptions:
    """What the command line said of score files; None or empty where it said nothing."""

    baseline_scores: str | None
    candidate_scores: str | None
    margin: float | None
    alpha: float | None
    scale: tuple[float, float] | None
    scale_of: tuple[tuple[str, Bounds], ...]
    lower_is_better: tuple[str, ...]
    slices: tuple[str, ...]

    def forbid(self) -> None:
        """Raises a usage error where a suite was given beside options of score files."""
        for field in fields(self):
            if getattr(self, field.name) not in (None, ()):
                option = "slice" if field.name == "slices" else field.name.replace("_", "-")
                raise click.UsageError(
                    f"--{option} goes with score files; a suite declares it itself, and a file for --json ends in .json"
                )

    def command(self, suite: str | None, strict: bool, instead: Mapping[str, str] | None = None) -> str:
        """The command line that gates the same again; `instead` are another model or prompt of the suite's target."""
        words = ["haetae", "gate", *([suite] if suite else []), *(["--strict"] if strict else [])]
        words += [word for field, text in (instead or {}).items() for word in (f"--{field}", text)]
        for field in fields(self):
            option, value = f"--{field.name.replace('_', '-')}", getattr(self, field.name)
            if field.name == "scale" and value:
                words += [option, *map(str, value)]
            elif field.name == "scale_of":
                words += [word for name, ends in value for word in (option, f"{name}={_written(ends)}")]
            elif isinstance(value, tuple):
                words += [word for one in value for word in (option.replace("slices", "slice"), one)]
            elif value is not None:
                words += [option, str(value)]
        return shlex.join(words)


def _written(bounds: Bounds) -> str:
    return ":".join("" if end is None else str(end) for end in bounds)


def gate_score_files(options: ScoreOptions, outlets: Outlets, strict: bool) -> int:
    """Compare the two files, tell the verdict, and return the exit code. Nothing of a suite is loaded."""
    if options.baseline_scores is None or options.candidate_scores is None:
        raise click.UsageError("name a SUITE, or both --baseline-scores and --candidate-scores")
    if options.scale is not None and (fault := scale_fault(options.scale)):
        raise click.UsageError(f"--scale: {fault}")
    if any(number is not None and math.isnan(number) for number in (options.margin, options.alpha)):
        raise click.UsageError("--margin and --alpha are numbers, got NaN")
    from haetae.workbench.ci.said import said_of_scores
    from haetae.workbench.scores.gate import gate_files
    from haetae.workbench.scores.rules import ScoreRules

    rules = ScoreRules(
        margin=ScoreRules.margin if options.margin is None else options.margin,
        alpha=ScoreRules.alpha if options.alpha is None else options.alpha,
        scale=options.scale or ScoreRules.scale,
        scales=dict(options.scale_of),
        lower_is_better=frozenset(options.lower_is_better),
        slices=options.slices or None,
    )
    report = gate_files(options.baseline_scores, options.candidate_scores, rules)
    outlets.tell(said_of_scores(report, options.command(None, strict)), report.text, report.as_json())
    return report.exit_code_when(strict)
