"""How much of an exact search an approximate index finds."""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.expected import Expected
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical, whole
from haetae.metrics.stages.of_pipeline import ranked, stage_name, stage_of
from haetae.metrics.text import nfc

_NO_NEIGHBOUR = "-1"
"""What faiss writes in the places that it cannot fill."""


class AnnRecall:
    """Recall@k of an approximate index (IVF, HNSW, …) against exact search, in [0, 1], higher is better.

    |the first k ids of `stage` ∩ the first k ids of `exact`| / k, both stages of the same answer: the
    intersection measure of faiss and of ANN-Benchmarks (Aumüller et al. 2020). Over samples their mean. Where exact
    search found fewer than k (a small corpus) their number takes the place of k. An id that stands twice counts
    once; a blank one and faiss' -1, which says that no neighbour was found, are no finds. Unscored where one of the
    two stages is not there, or exact search found nothing.
    """

    def __init__(self, k: int = 10, *, stage: str, exact: str) -> None:
        self._k = whole("ann_recall", "k", k, 1, 100_000)
        self._stage = stage_name("ann_recall", "stage", stage)
        self._exact = stage_name("ann_recall", "exact", exact)
        if stage == exact:
            raise ConfigError(f"ann_recall: stage and exact are both {stage!r}; a stage always finds all of itself")
        self.facts = MetricFacts(
            text=canonical("ann_recall", k, stage=(stage, None), exact=(exact, None)),
            version="2",
            signature={"ids": "NFC", "duplicates": "first rank", "no finds": "-1 and blanks"},
            expected=Expected({"stage": stage, "exact": exact}),
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        found, wanted = self._first(generation, self._stage), self._first(generation, self._exact)
        if isinstance(found, Score):
            return found
        if isinstance(wanted, Score):
            return wanted
        if not wanted:
            return Score.unscored(reasons.NOT_MEASURED, f"the stage {self._exact!r} found nothing to compare with")
        common = len(found & wanted)
        return Score(common / len(wanted), explanation=f"{common} of the {len(wanted)} nearest")

    def _first(self, generation: Generation, name: str) -> set[str] | Score:
        """The ids among the first k of a stage."""
        stage = stage_of(generation, name)
        ids = stage if isinstance(stage, Score) else ranked(stage)
        if isinstance(ids, Score):
            return ids
        first = list(dict.fromkeys(map(nfc, ids)))[: self._k]
        return {name for name in first if name.strip() and name != _NO_NEIGHBOUR}
