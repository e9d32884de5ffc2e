"""Answer correctness: how far the claims of an answer and those of its reference are the same."""

from __future__ import annotations

import math

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.model import LanguageModel
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical
from haetae.metrics.judges.reply import number
from haetae.metrics.rag.judged import Case, Judged, marked
from haetae.metrics.rag.nearness import Nearness
from haetae.metrics.text import EMPTY_OUTPUT, no_reference, references, settle

_WEIGHTS = (0.75, 0.25)
_CLAIMS_ONLY = (1.0, 0.0)


class AnswerCorrectness(Judged):
    """F-beta over the claims of answer and reference, averaged with their similarity, in [0, 1], higher is better.

    The judge breaks both into claims, then says of each of the answer's claims whether the reference
    bears it out (a true or a false positive) and of each of the reference's whether the answer tells it
    (where not, a false negative). Precision is over the answer's claims, recall over the reference's,

        F = (1 + beta²) · precision · recall / (beta² · precision + recall)

    and the score is the mean of F and the cosine of answer and reference (one below 0 counting as 0),
    by `weights`: [0.75, 0.25] where `embeddings` are named, [1, 0], claims only, where they are not; the
    metric's text tells the two apart. Four calls and an embedding; of several references the best counts.

    An empty answer scores 0, and F is 0 for one that claims nothing. Unscored with `no_claims` where no
    reference claims anything, `judge_parse_failure` where a verdict is missing, `unsupported_language`
    where the embedding model cannot compare the language. Source: answer correctness of ragas 0.4, which
    counts true positives among the answer's claims in recall too, and calls an answer without claims right.
    """

    def __init__(
        self,
        *,
        model: LanguageModel,
        embeddings: LanguageModel | None = None,
        weights: tuple[float, float] | None = None,
        beta: float = 1.0,
    ) -> None:
        self._weights = _checked(weights or (_WEIGHTS if embeddings is not None else _CLAIMS_ONLY))
        exact = number(beta)
        if exact is None or exact <= 0:
            raise ConfigError(f"answer_correctness: beta {beta!r} is not a number above 0")
        self._beta = exact
        self._nearness: Nearness | None = None
        similarity: dict[str, Json] = {"similarity": "none: claims only"}
        if self._weights[1]:
            if embeddings is None:
                raise ConfigError(
                    f"answer_correctness: weights give similarity {self._weights[1]:g} of the score: "
                    "name a registered model with embeddings, or give weights [1, 0]"
                )
            self._nearness = Nearness(embeddings)
            similarity = {"similarity": "cosine, at least 0", "embeddings": dict(embeddings.fingerprint)}
        super().__init__(
            canonical("answer_correctness", weights=(list(self._weights), list(_WEIGHTS)), beta=(exact, 1.0)),
            version="2",
            model=model,
            needs=frozenset({"reference"}),
            prompts=("statements.md", "agreement.md"),
            calls=4 if self._nearness is None else 5,
            **similarity,
        )

    async def _score(self, case: Case) -> Score:
        given, output = references(case.sample), case.generation.output
        if not given:
            return no_reference()
        if not output.strip():
            return Score(0.0, explanation=EMPTY_OUTPUT)
        if self._nearness is not None:
            for reference in given:
                await self._nearness.admit(case.interview, output, reference)
        claims = await self._statements(case, output)
        found = [await self._against(case, claims, reference) for reference in given]
        best = max((one for one in found if one is not None), key=_nan_first, default=None)
        if best is None:
            return Score.unscored(reasons.NO_CLAIMS, "the judge found no statement of fact in the reference")
        return Score.of(settle(best[0], 0.0, 1.0), 0.0, 1.0, "\n".join(best[1]))

    async def _against(self, case: Case, claims: list[str], reference: str) -> tuple[float, list[str]] | None:
        """The score by one reference and a line on each claim; None for one that claims nothing."""
        expected = await self._statements(case, reference)
        if not expected:
            return None
        right: list[int] = []
        told = [0] * len(expected)
        if claims:
            right = await self._verdicts(case, "agreement.md", claims, (reference,))
            told = await self._verdicts(case, "agreement.md", expected, (case.generation.output,))
        factual = f_beta(right, told, self._beta)
        lines = marked(right, claims, "right", "wrong") + marked(told, expected, "told", "missing")
        if self._nearness is None:
            return factual, lines
        (near,) = await self._nearness.cosines(case.interview, case.generation.output, [reference])
        weight, other = self._weights
        return (weight * factual + other * float(near)) / (weight + other), [*lines, f"similarity: {near:.3f}"]


def _nan_first(found: tuple[float, list[str]]) -> float:
    """For the best of several: one that could not be computed may be the best, and leaves the answer unscored."""
    return math.inf if math.isnan(found[0]) else found[0]


def f_beta(right: list[int], told: list[int], beta: float) -> float:
    """F-beta of the answer's claims that are right and the reference's that are told; 0 where none is."""
    precision = sum(right) / len(right) if right else 0.0
    recall = sum(told) / len(told)
    if not precision or not recall:
        return 0.0
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def _checked(weights: tuple[float, float] | list[float]) -> tuple[float, float]:
    exact = [number(weight) for weight in weights]
    if len(exact) == 2 and exact[0] is not None and exact[1] is not None:
        factual, similar = exact[0], exact[1]
        if min(factual, similar) >= 0 and 0 < factual + similar < math.inf:
            return factual, similar
    raise ConfigError(
        f"answer_correctness: weights {list(weights)!r} are not two numbers [claims, similarity], "
        "neither below 0, one above it, such as [0.75, 0.25]"
    )
