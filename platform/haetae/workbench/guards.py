"""Which stage of a guard earns its price: what came to each, what it decided, what was right, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haetae.core.canonical import Json, loads
from haetae.core.expected import Label, is_label
from haetae.core.generation import Generation
from haetae.core.ledger import Ledger
from haetae.core.run import Run
from haetae.errors import ConfigError
from haetae.workbench.columns import aligned
from haetae.workbench.export import pages
from haetae.workbench.guard_tally import HEADER, Tally

_LEGEND = (
    "precision and recall are of what came to the stage, with 95 % intervals; median is the time of one check;",
    "caught is harm that no stage before had stopped, let pass is harm that this stage itself let through.",
)


@dataclass(frozen=True)
class GuardReport:
    """The stages of a guard in one run, in order, and the whole. `label` and `positive` say what should be blocked;
    `unlabelled` texts count in what was reached. `failed` texts have no decision: they count in the stages before the
    one that failed, and there in what was reached alone.
    """

    run: str
    label: str
    positive: Label
    stages: Sequence[Tally]
    cascade: Tally
    unlabelled: int
    failed: int

    def as_json(self) -> Json:
        """The report for scripts."""
        parts = {name: value for name, value in vars(self).items() if name not in ("stages", "cascade")}
        return {**parts, "stages": [one.as_json() for one in self.stages], "cascade": self.cascade.as_json()}

    @property
    def text(self) -> str:
        """The report for people."""
        lines = [f"{self.run}: what has {self.label} = {self.positive} should be blocked", ""]
        lines += aligned(HEADER, [one.row() for one in (*self.stages, self.cascade)])
        lines += ["", *_LEGEND]
        if self.unlabelled:
            texts = f"{self.unlabelled} {_texts(self.unlabelled)} no {self.label}"
            lines.append(f"! {texts}: counted in reached and decided alone")
        if self.failed:
            lines.append(f"! {self.failed} {_texts(self.failed)} no decision: {', '.join(self._failures())}")
        return "\n".join(lines)

    def _failures(self) -> list[str]:
        """Which stages failed how often, and of how many texts that is not known."""
        told = [f"{one.name} failed on {one.failed}" for one in self.stages if one.failed]
        unknown = self.failed - sum(one.failed for one in self.stages)
        return [*told, f"{unknown} failed outside of the stages"] if unknown else told


def guard_report(ledger: Ledger, run_id: str, label: str | None = None, positive: str | None = None) -> GuardReport:
    """The stages of a run's guard. `label` and `positive` are by default those of the suite's guard metrics.

    Raises ConfigError for a run whose answers have no stages that decide, and where nothing says the label.
    """
    key, value = _labelling(ledger.run(run_id), label, positive)
    stages: dict[str, Tally] = {}
    whole, unlabelled, failed = Tally("(cascade)"), 0, 0
    for result in pages(ledger, run_id):
        answer = result.generation.result if result.generation else None
        told = result.sample.metadata.get(key)
        harmful = None if told is None else is_label(told, value)
        unlabelled += harmful is None
        ran = [(stages.setdefault(one.name, Tally(one.name)), one) for one in (answer.stages if answer else ())]
        if isinstance(answer, Generation):
            whole.add(harmful, answer.output.strip() == "block", answer.latency_s, answer.cost_usd)
        else:
            failed += 1
            whole.add_failed()
            if ran:
                ran.pop()[0].add_failed()
        for tally, stage in ran:
            tally.add(harmful, stage.flagged, stage.latency_s, stage.cost_usd)
    if not any(stage.decided or stage.failed for stage in stages.values()):
        raise ConfigError(f"{run_id}: no stage of its answers decides anything; run a suite whose target is a guard")
    return GuardReport(run_id, key, value, list(stages.values()), whole, unlabelled, failed)


def _texts(count: int) -> str:
    return "text has" if count == 1 else "texts have"


def _labelling(run: Run, label: str | None, positive: str | None) -> tuple[str, Label]:
    """The key of the label, and the value that means: block."""
    for spec in run.manifest.suite["metrics"].values():
        kind = spec.partition("/")[0] if isinstance(spec, str) else next(iter(spec))
        if kind == "guard":
            said = {} if isinstance(spec, str) else spec
            label = label or said.get("label", "label")
            return label, _value(positive) if positive is not None else said.get("positive", "block")
    if label is None or positive is None:
        raise ConfigError(f"{run.id}: its suite has no guard metric that tells the labels; give --label and --positive")
    return label, _value(positive)


def _value(text: str) -> Label:
    """What a text of the command line stands for: true, false and whole numbers as in a suite file."""
    try:
        found = loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int) else text
