"""How well a guard tells what must be stopped from what may pass, over samples that people labelled.

Every rate comes from the summed counts of a run, [true positives, false positives, false negatives, true negatives]:
a bootstrap resamples those, never rates of single samples, which have none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from haetae.core import reasons
from haetae.core.expected import Expected, Label, Labelled, is_label
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical, flag, one_of
from haetae.metrics.stages.of_pipeline import stage_name, stage_of

_AGAINST = {
    "precision": ("fp",),
    "recall": ("fn",),
    "f1": ("fp", "fn"),
    "accuracy": ("fp", "fn"),
    "false_positive_rate": ("fp",),
}
"""Which wrong decisions count against a rate."""
RATES = tuple(_AGAINST)
_OF_NEGATIVES = ("accuracy", "false_positive_rate")
"""Rates that a dataset of nothing but texts that may pass has as well."""
_CELLS = ("tp", "fp", "fn", "tn")
_BLOCK, _PASS = "block", "pass"


class Guard:
    """A rate of right and wrong decisions, in [0, 1].

    A text is positive where the metadata under `label` has the value `positive`: it should be blocked. With tp the
    positives that were blocked, fp the others that were, fn the positives that passed and tn the others that did:

    - `precision` = tp / (tp + fp)
    - `recall` = tp / (tp + fn)
    - `f1` = 2 tp / (2 tp + fp + fn)
    - `accuracy` = (tp + tn) / (tp + fp + fn + tn)
    - `false_positive_rate` = fp / (fp + tn), of which less is better

    As in scikit-learn, except that a rate whose denominator is 0 has no value instead of 0.

    Of the whole cascade by default: the output is `block` or `pass`. Of one `stage`: whether it stopped the text,
    over the texts that came to it; one that it left to the next it has not stopped. The value of one sample
    is 0 where its decision counts against the rate, else 1 (for the false positive rate the other way round).
    Unscored with `missing_expected` without a label, with `not_measured` where the stage did not run. A label that no
    sample has is refused before the run; only `accuracy` and `false_positive_rate` do without a positive, where all
    samples have one other label.
    """

    def __init__(self, rate: str, *, label: str = "label", positive: Label = _BLOCK, stage: str | None = None) -> None:
        self._rate = one_of("guard", "rate", rate, RATES)
        if not label.strip():
            raise ConfigError("guard: label is blank; name a key of the samples' metadata")
        self._label = label
        self._positive = positive
        self._stage = None if stage is None else stage_name("guard", "stage", stage)
        self.facts = MetricFacts(
            text=canonical("guard", rate, label=(label, "label"), positive=(positive, _BLOCK), stage=(stage, None)),
            version="1",
            higher_is_better=rate != "false_positive_rate",
            corpus=True,
            signature={"undecided by a stage": "not stopped"},
            expected=Expected({"stage": stage}, Labelled(label, positive, rate not in _OF_NEGATIVES)),
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        label = sample.metadata.get(self._label)
        if label is None:
            return Score.unscored(reasons.MISSING_EXPECTED, f"the sample's metadata has no {self._label!r}")
        blocked = self._blocked(generation)
        if isinstance(blocked, Score):
            return blocked
        positive = is_label(label, self._positive)
        cell = {(True, True): "tp", (False, True): "fp", (True, False): "fn", (False, False): "tn"}[positive, blocked]
        fault = cell in _AGAINST[self._rate]
        value = fault if self._rate == "false_positive_rate" else not fault
        said = f"{'should' if positive else 'should not'} be blocked, was {'' if blocked else 'not '}blocked"
        return Score(float(value), tuple(float(cell == name) for name in _CELLS), explanation=said)

    def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rate of summed counts; NaN where its denominator is 0."""
        return rate(self._rate, totals)

    def _blocked(self, generation: Generation) -> bool | Score:
        if self._stage is not None:
            stage = stage_of(generation, self._stage)
            return stage if isinstance(stage, Score) else stage.flagged is True
        output = generation.output.strip()
        if output not in (_BLOCK, _PASS):
            return Score.unscored(reasons.NOT_MEASURED, f"the output is neither {_BLOCK} nor {_PASS}: {output[:80]!r}")
        return output == _BLOCK


class GuardReach:
    """The share of texts that come to a stage of a guard, or with `decided: true` those that it decides, in [0, 1].

    Of all answered samples. A stage that few texts come to may be dear; one that many come to and few are decided by
    does not earn its price. A share that is decided is better higher, a share that comes to a stage lower. A stage that
    the guard file or the recorded outputs do not have is refused before the run; where no answer of a function had it,
    all are unscored with `not_measured`.
    """

    def __init__(self, stage: str, *, decided: bool = False) -> None:
        self._stage = stage_name("guard_reach", "stage", stage)
        self._decided = flag("guard_reach", "decided", decided)
        self.facts = MetricFacts(
            text=canonical("guard_reach", stage, decided=(decided, False)),
            version="1",
            higher_is_better=decided,
            expected=Expected({"stage": stage}),
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        if not generation.stages:
            return Score.unscored(reasons.NOT_MEASURED, "the answer has no stages")
        stage = generation.stage(self._stage)
        if self._decided:
            return Score(float(stage is not None and stage.flagged is not None))
        return Score(float(stage is not None))


def rate(name: str, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rate of counts (..., [tp, fp, fn, tn]); NaN where its denominator is 0."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    above, below = {
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "accuracy": (tp + tn, tp + fp + fn + tn),
        "false_positive_rate": (fp, fp + tn),
    }[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
