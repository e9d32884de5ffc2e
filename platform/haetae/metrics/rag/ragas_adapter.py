"""Text metrics of ragas 0.4 over our own models: its prompts and formulas, our transport and reasons.

Metrics that look at pictures are not offered: they would fetch any address and open any file that a
context names. What ragas hides is shown: a call that failed or rated off the scale makes the score
unscored, where ragas would average the rest, and NaN is unscored with the reason behind it. What it
computes is its own: a verdict that the judge left out still raises its faithfulness.
"""

from __future__ import annotations

import asyncio
import math
from importlib.metadata import version

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, JudgeError
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.rag.nearness import Nearness
from haetae.metrics.rag.ragas_bridge import DECODING, Chat, Vectors
from haetae.metrics.rag.ragas_kinds import KINDS, Asked
from haetae.metrics.text import contexts, references, settle


class Ragas:
    """A text metric of ragas, with its own defaults, in [0, 1]; lower is better in `noise_sensitivity` alone.

    `answer_relevancy` and `answer_correctness` need `embeddings`. Of several references it is given the
    first. `timeout_s` bounds all calls of one score. A language that the embedding model cannot compare is
    `unsupported_language`, which ragas itself would score. Its prompts are English: the definitions of this
    package (`faithfulness`, …) are the choice for Korean.
    """

    def __init__(
        self,
        metric: str,
        *,
        model: LanguageModel,
        embeddings: LanguageModel | None = None,
        timeout_s: float = 180.0,
    ) -> None:
        name = one_of("ragas", "metric", metric, KINDS)
        self._kind = KINDS[name]
        if self._kind.beside is not None and embeddings is None:
            raise ConfigError(f"ragas: {name} needs embeddings: name a registered model")
        if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or not 0 < timeout_s < math.inf:
            raise ConfigError(f"ragas: timeout_s {timeout_s!r} is not a number of seconds above 0")
        self._model, self._timeout_s = model, timeout_s
        self._embeddings = embeddings or model  # asked by those metrics alone that need embeddings
        self._nearness = Nearness(self._embeddings)
        self.facts = MetricFacts(
            text=canonical("ragas", name),
            version="3",
            higher_is_better=self._kind.higher_is_better,
            needs=self._kind.needs,
            signature={"ragas": version("ragas"), **DECODING}
            | ({"embeddings": dict(embeddings.fingerprint)} if embeddings is not None else {}),
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview = Interview()
        asked = Asked(
            Chat(self._model, interview, divides=self._kind.divides),
            Vectors(self._embeddings, interview),
            sample.text,
            generation.output,
            next(iter(references(sample)), ""),
            list(contexts(sample, generation)),
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._kind.beside is not None:
                    await self._nearness.admit(interview, self._kind.beside(asked), asked.answer)
                value = float((await self._kind.ask(asked)).value)
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        except TimeoutError:
            late = f"no score within {self._timeout_s:g} s"
            return interview.bill(Score.unscored(reasons.JUDGE_FAILED, late))
        except ValueError as exc:  # how ragas refuses an empty question, answer or context
            return interview.bill(Score.unscored(reasons.METRIC_RAISED, f"ragas: {exc}"))
        failed = asked.llm.failed
        if isinstance(failed, JudgeError):
            raise failed
        if failed is not None:
            return interview.bill(failed.score)
        if math.isnan(value):
            return interview.bill(Score.unscored(reasons.JUDGE_UNPARSEABLE, "ragas returned NaN"))
        return interview.bill(Score.of(settle(value, 0.0, 1.0), 0.0, 1.0))
