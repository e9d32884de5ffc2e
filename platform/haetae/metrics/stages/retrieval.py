"""How well passages are found and ranked: the measures of information retrieval, computed by ir_measures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version

import ir_measures

from haetae.core import reasons
from haetae.core.expected import Expected
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical, whole
from haetae.metrics.stages.of_pipeline import ranked, stage_name, stage_of
from haetae.metrics.text import nfc, settle

_NAMES = {"nDCG": "nDCG", "P": "P", "R": "R", "RR": "RR", "MRR": "RR", "AP": "AP", "MAP": "AP", "Success": "Success"}
"""What a measure may be called, and ir_measures' own name for it."""
_CUT = frozenset({"P", "R", "Success"})
"""Measures that are defined only down to a rank."""
_WRITTEN = re.compile(r"(?P<name>\w+)(\(rel=(?P<rel>\d{1,4})\))?(@(?P<cutoff>\d{1,6}))?")
Ranking = list[str | None]
"""Passages, the best first, each once; None in the place of a blank one."""
_SHOWN = 5
"""How many passages an explanation lists."""


class Retrieval:
    """A measure of one ranking, in [0, 1], higher is better; over samples their mean.

    `measure` is written as in ir_measures, `@k` for the first k passages:

    - `nDCG@k` sums grade / log2(rank + 1) and divides by the sum of the best order (Järvelin and
      Kekäläinen 2002, with linear gain as in trec_eval)
    - `P@k` and `R@k` are the relevant ones found, by k and by all relevant ones
    - `RR@k` (`MRR@k`) is 1 / the rank of the first relevant one, 0 below k
    - `AP@k` (`MAP@k`) averages the precision at each relevant rank over all relevant ones
    - `Success@k` is the hit rate: 1 where one of the first k is relevant

    Relevant is a grade of at least 1, of at least 2 with `P(rel=2)@5`. The numbers are trec_eval's (through
    pytrec_eval; RR@k is MS MARCO's script). The ids that the `stage` retrieved, by default the last stage
    that ranked, are held against the sample's `relevant`. Where there are no ids on one of the two sides, the
    answer's contexts are held against `reference_contexts` as texts. Ids and texts are compared in NFC, texts with
    single blanks; a passage that stands twice counts once, at its first rank; a blank one keeps its rank and is
    relevant to nothing. A ranking of nothing is 0; a sample that calls no passage relevant is unscored with
    `missing_expected`.
    """

    def __init__(self, measure: str, *, stage: str | None = None) -> None:
        self._name, self._rel, cutoff = _read(measure)
        rel = f"(rel={self._rel})" if self._rel != 1 else ""
        text = f"{self._name}{rel}" + (f"@{cutoff}" if cutoff is not None else "")
        self._measure = ir_measures.parse_measure(text)
        trec_eval, marco = ir_measures.pytrec_eval, ir_measures.msmarco
        self._provider = trec_eval if trec_eval.supports(self._measure) else marco
        self._stage = None if stage is None else stage_name("retrieval", "stage", stage)
        self.facts = MetricFacts(
            text=canonical("retrieval", text, stage=(stage, None)),
            version="2",
            signature={
                "ir_measures": version("ir_measures"),
                "provider": self._provider.NAME,
                "pytrec_eval": version("pytrec_eval-terrier"),
                "match": "ids, or texts with single blanks, in NFC",
                "duplicates": "first rank",
                "blank": "keeps its rank",
            },
            expected=Expected({"stage": stage}),
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        pair = self._by_id(sample, generation)
        if isinstance(pair, Score) and self._stage is None:
            by_text = _by_text(sample, generation)
            pair = pair if by_text is None else by_text
        if isinstance(pair, Score):
            return pair
        grades, ranking = pair
        needed = 1 if self._name == "nDCG" else self._rel
        if not any(grade >= needed for grade in grades.values()):
            return Score.unscored(reasons.MISSING_EXPECTED, f"no passage has a grade of {needed} or more")
        if not ranking:
            return Score(0.0, explanation="nothing was retrieved")
        return Score(self._value(grades, ranking), explanation=_told(grades, ranking, needed))

    def _by_id(self, sample: Sample, generation: Generation) -> tuple[dict[str, int], Ranking] | Score:
        """Grades and ranking by id, or why there are none."""
        if self._stage is not None:
            stage = stage_of(generation, self._stage)
        else:
            ranking_stages = [stage for stage in generation.stages if stage.retrieved is not None]
            stage = ranking_stages[-1] if ranking_stages else Score.unscored(reasons.NOT_MEASURED, _NO_IDS)
        ids = stage if isinstance(stage, Score) else ranked(stage)
        if sample.relevant is None:
            return Score.unscored(reasons.MISSING_EXPECTED, "the sample names no relevant passages")
        if isinstance(ids, Score):
            return ids
        grades: dict[str, int] = {}
        for name, grade in sample.relevant.items():
            if name.strip():
                grades[nfc(name)] = max(grade, grades.get(nfc(name), 0))
        return grades, _once(map(nfc, ids))

    def _value(self, grades: Mapping[str, int], ranking: Ranking) -> float:
        """The measure. Passages go under their number, so that no id is too odd for a library in C."""
        code = {passage: str(place) for place, passage in enumerate([*ranking, *(grades.keys() - set(ranking))])}
        judged = {"q": {code[passage]: grade for passage, grade in grades.items()}}
        run = {"q": {str(place): float(-place) for place in range(len(ranking))}}
        (found,) = self._provider.evaluator([self._measure], judged).iter_calc(run)
        return settle(float(found.value), 0.0, 1.0)


_NO_IDS = "no stage of the answer gave ids of passages"


def _read(measure: str) -> tuple[str, int, int | None]:
    """Name, least relevant grade and cutoff of a measure. Raises ConfigError."""
    parts = _WRITTEN.fullmatch(measure)
    if parts is None:
        raise ConfigError(f"retrieval: {measure!r} is not written like nDCG@10, P(rel=2)@5 or AP")
    if parts["name"] not in _NAMES:
        there = "nDCG, P (precision), R (recall), RR or MRR, AP or MAP, Success (hit rate)"
        raise ConfigError(f"retrieval: no measure is called {parts['name']!r}; there are {there}")
    name = _NAMES[parts["name"]]
    if parts["cutoff"] is None and name in _CUT:
        raise ConfigError(f"retrieval: {measure} says not how deep; write {measure}@10")
    if parts["rel"] is not None and name == "nDCG":
        raise ConfigError("retrieval: nDCG takes the grades themselves; leave out rel")
    cutoff = None if parts["cutoff"] is None else whole("retrieval", "cutoff", int(parts["cutoff"]), 1, 100_000)
    return name, whole("retrieval", "rel", int(parts["rel"] or 1), 1, 1_000), cutoff


def _by_text(sample: Sample, generation: Generation) -> tuple[dict[str, int], Ranking] | Score | None:
    """Grades and ranking by the passages' texts; None where one of the two sides has none."""
    if sample.reference_contexts is None:
        return None
    if generation.contexts is None:
        return Score.unscored(reasons.MISSING_CONTEXT, "the answer brought no contexts")
    wanted = {passage: 1 for passage in map(_plain, sample.reference_contexts) if passage}
    return wanted, _once(map(_plain, generation.contexts))


def _plain(passage: str) -> str:
    return " ".join(nfc(passage).split())


def _once(passages: Iterable[str]) -> Ranking:
    """Each passage at its first place; None in the place of a blank one."""
    found: Ranking = []
    seen: set[str] = set()
    for passage in passages:
        if passage not in seen:
            found.append(passage if passage.strip() else None)
        if passage.strip():
            seen.add(passage)
    return found


def _told(grades: Mapping[str, int], ranking: Ranking, needed: int) -> str:
    """At which ranks the relevant passages are, for people."""
    places = {passage: rank for rank, passage in enumerate(ranking, 1)}
    relevant = [passage for passage, grade in grades.items() if grade >= needed]
    ranks = sorted(places[passage] for passage in relevant if passage in places)
    shown = ", ".join(map(str, ranks[:_SHOWN])) + (", …" if len(ranks) > _SHOWN else "")
    at = f" at rank {shown}" if ranks else ""
    return f"{len(ranks)} of {len(relevant)} relevant among {len(ranking)} retrieved{at}"
