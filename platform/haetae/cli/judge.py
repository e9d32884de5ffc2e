"""judge label, judge correct, judge agreement, judge attack: how far a judge can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from haetae.cli.attack import attack_command
from haetae.cli.json_to import JsonCommand, check_json_to, errors_as_json, json_option, tell
from haetae.cli.scales import Bounds, scale_fault, scale_of_option, scale_option

if TYPE_CHECKING:
    from haetae.workbench.scores.judges import JudgeFiles


@click.group("judge")
def judge_command() -> None:
    """Hold a judge against people (label a run's answers, correct its scores, measure agreement) and attacks."""


judge_command.add_command(attack_command)


@judge_command.command("label", cls=JsonCommand)
@click.argument("run")
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
def label_command(run: str, file: str, json_to: str | None) -> None:
    """Keep the human labels in FILE with the answers of RUN.

    A line of FILE is {"id", "metric", "score"} and if need be "rater" and "sample" (the number of a
    repeat), on the metric's own scale. A label belongs to the content of sample and answer: the same answer
    of another run has it too. The same rater's new label takes the place of the old one. All labels are
    kept, or none where one is wrong.

    To correct a judge, label samples drawn at random: their choice may not depend on the answers. For the
    gate, label the baseline's answers of 50 random samples or more, and the candidate's of the same ones,
    by the same people, who do not know which is which.
    """
    from haetae import Workbench

    check_json_to(json_to, file)
    with errors_as_json(json_to), Workbench() as bench:
        count = bench.annotate(run, file)
    labels = "label" if count == 1 else "labels"
    tell(f"{count} {labels} kept with {run}", {"run": run, "labels": count}, json_to)


@dataclass(frozen=True)
class _Sources:
    """A run of the ledger, or files: exactly one of the two."""

    run: str | None
    metric: str | None
    judge: str | None
    humans: tuple[str, ...]
    scale: tuple[float, float] | None
    scale_of: tuple[tuple[str, Bounds], ...]

    def files(self) -> JudgeFiles | None:
        """The files, None where a run was named. Raises a usage error for neither or both."""
        if self.run is not None:
            if self.judge or self.humans or self.scale or self.scale_of:
                raise click.UsageError("name a RUN, or --judge and --human files, not both; a run knows its scales")
            return None
        if self.judge is None or not self.humans:
            raise click.UsageError("name a RUN whose answers are labelled, or both --judge and --human")
        if self.metric is not None:
            raise click.UsageError("--metric goes with a RUN; files are read whole")
        if self.scale is not None and (fault := scale_fault(self.scale)):
            raise click.UsageError(f"--scale: {fault}")
        from haetae.workbench.scores.judges import JudgeFiles
        from haetae.workbench.scores.rules import ScoreRules

        rules = ScoreRules(scale=self.scale or (0.0, 1.0), scales=dict(self.scale_of))
        return JudgeFiles(self.judge, self.humans, rules)


def _sources(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say where judge and human scores are; the command gets them as `sources`."""

    @click.argument("run", required=False)
    @click.option("--metric", help="Only this metric of RUN; default every judged one.")
    @click.option("--judge", metavar="FILE", help="A score file: what the judge said of all answers.")
    @click.option(
        "--human", "humans", metavar="FILE", multiple=True, help="A score file of labels; may be given for each rater."
    )
    @scale_option
    @scale_of_option
    @json_option
    @wraps(command)
    def with_sources(json_to: str | None, **options: Any) -> None:
        sources = _Sources(**options)
        check_json_to(json_to, sources.judge, *sources.humans)
        with errors_as_json(json_to):
            command(sources=sources, json_to=json_to)

    return with_sources


@judge_command.command("correct", cls=JsonCommand)
@_sources
def correct_command(sources: _Sources, json_to: str | None) -> None:
    """Say what people would have scored on average, from the judge's scores of all and labels of some answers.

    The labelled samples must be a random subset of all (each as likely to be drawn, whatever its answer):
    labels of the suspicious ones alone correct nothing. Of RUN and its labels in the ledger (haetae judge
    label), or of two score files joined by id, metric and sample. 0/1 scores take posteriors under
    Jeffreys' prior, and 20 labels or more; other scores prediction-powered inference (PPI++), and 50.

    Exit codes: 0 every labelled metric has an estimate, 2 wrong input, 3 one has none, or none is labelled.
    """
    from haetae.workbench.judges.correcting import corrections_json, corrections_text, exit_code

    files = sources.files()
    if files is not None:
        found = files.correct()
    else:
        from haetae import Workbench

        with Workbench() as bench:
            found = bench.correct(str(sources.run), sources.metric)
    tell(corrections_text(found), corrections_json(found), json_to)
    raise Exit(exit_code(found))


@judge_command.command("report", cls=JsonCommand)
@click.argument("run")
@click.option("--metric", help="Only this metric of RUN; default every judged one.")
@json_option
def report_command(run: str, metric: str | None, json_to: str | None) -> None:
    """Say how the judges of RUN did: failures by reason, calls and cost, and how far their scores can be trusted.

    Where an answer was judged, or a sample answered, several times: how much the scores vary. Of a jury: what
    each juror says and how far they agree. Of pairwise and best-of judging: how often another order gave
    another verdict, and what the first place is worth. Reads the ledger; nothing is asked.
    """
    from haetae import Workbench

    check_json_to(json_to)
    with errors_as_json(json_to), Workbench() as bench:
        found = bench.judges(run, metric)
    tell(found.text, found.as_json(), json_to)


@judge_command.command("agreement", cls=JsonCommand)
@_sources
def agreement_command(sources: _Sources, json_to: str | None) -> None:
    """Say how far judge and people, and people among themselves, agree beyond chance.

    Cohen's kappa of each two (near misses on a scale of steps count in part, by squared distance) and
    Krippendorff's alpha, with 95 % intervals; undefined where every label is the same. They are those of
    the labelled answers: label a random subset to speak of all. Raters are told apart by "rater" in the
    rows, or by their files.

    Exit codes: 0, 2 wrong input, 3 nobody labelled anything.
    """
    files = sources.files()
    if files is not None:
        found = files.agreement()
    else:
        from haetae import Workbench

        with Workbench() as bench:
            found = bench.agreement(str(sources.run), sources.metric)
    text = "\n".join(each.text for each in found) or f"nobody labelled {sources.run or 'anything'} yet"
    tell(text, {"agreement": [each.as_json() for each in found]}, json_to)
    raise Exit(0 if found else 3)
