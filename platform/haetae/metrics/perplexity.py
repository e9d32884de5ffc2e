"""How surprised a language model is by a text: perplexity per token or word, or bits per byte."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from haetae.core import reasons
from haetae.core.canonical import digest, dumps
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel, Likelihood
from haetae.core.sample import Message, Sample
from haetae.core.score import Score
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.text import EMPTY_OUTPUT, nfc, no_reference, references, settle

_COUNTS = {"token": 1, "word": 2, "byte": 3}
"""Where in the statistics the count of each unit is."""


class Perplexity:
    """Perplexity of the output or of the reference under a language model; lower is better.

        token, word:  exp(NLL / n)              from 1 up; n counts scored tokens, or words between blanks
        byte:         NLL / (ln 2 · bytes)      bits per byte of UTF-8, from 0 up

    NLL is minus the sum of the natural-log probabilities of the text's tokens (Jelinek et al. 1977; bits per
    byte as in Gao et al. 2020). Over many samples it is the value of the summed statistics
    [NLL, tokens, words, bytes], never a mean of perplexities; `average: texts` asks for that mean, which is
    the `mean_perplexity` of Hugging Face evaluate.

    `of: output` measures the answers with a model that must stay the same; `of: reference` measures the
    model itself by good answers, so that a model and its quantised twin can be compared. `given: prompt`
    makes the probabilities conditional on the sample's input followed by the `separator`; a chat of several
    turns is read whole, each turn as `role: text` on lines of its own, its tool calls as JSON. Tokens of
    different tokenizers are different units: compare such models by `unit: byte`, and Korean by `byte` or by
    `word`, whose words are eojeol. Of several references the lowest value counts, so all must be measured.

    Without a BOS (the model's file says whether there is one) the first token is not scored where nothing
    stands before it: then NLL lacks it and words and bytes still count it. Unscored: a blank text; a text of
    one token without a BOS (`too_short`; other references count); an endpoint that fails, or tells no log
    probabilities, or impossible ones; a value beyond all floats (`not_finite`), as that of a long text without
    blanks by `unit: word`.
    """

    def __init__(
        self,
        of: Literal["output", "reference"] = "output",
        *,
        model: LanguageModel,
        given: Literal["none", "prompt"] = "none",
        unit: Literal["token", "word", "byte"] = "token",
        separator: str = "\n",
        average: Literal["corpus", "texts"] = "corpus",
    ) -> None:
        self._of = one_of("perplexity", "of", of, ("output", "reference"))
        self._given = one_of("perplexity", "given", given, ("none", "prompt"))
        self._unit = one_of("perplexity", "unit", unit, _COUNTS)
        one_of("perplexity", "average", average, ("corpus", "texts"))
        self._model = model
        self._separator = separator
        asked = dict(model.fingerprint)
        signature = {"unicode": "NFC", **({} if given == "none" else {"chat": "role: text, a turn a line"})}
        if of == "output":  # the model is the instrument: another one measures something else
            signature["model"] = digest(asked)
        elif unit == "token" and "tokenizer" in asked:
            signature["tokenizer"] = asked["tokenizer"]
        self.facts = MetricFacts(
            text=canonical(
                "perplexity",
                of=(of, "output"),
                given=(given, "none"),
                unit=(unit, "token"),
                separator=(separator, "\n"),
                average=(average, "corpus"),
            ),
            version="2",
            low=0.0 if unit == "byte" else 1.0,
            high=None,
            higher_is_better=False,
            needs=frozenset({"reference"} if of == "reference" else ()),
            corpus=average == "corpus",
            signature=signature,
            model=asked,
            deterministic=model.deterministic,
            answer=of == "output",
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        texts = references(sample) if self._of == "reference" else (nfc(generation.output),)
        if not texts:
            return no_reference()
        if not texts[0].strip():
            return Score.unscored(reasons.EMPTY, EMPTY_OUTPUT)
        prompt = _asked(sample) + self._separator if self._given == "prompt" else ""
        interview, found = Interview(), []
        for text in texts:
            try:
                found.append(self._measured(text, await interview.likelihood(self._model, text, prompt)))
            except UnansweredError as exc:  # the text that was not measured may be the one that counts
                return interview.bill(exc.score)
        return interview.bill(min(found, key=lambda score: math.inf if score.value is None else score.value))

    def _measured(self, text: str, found: Likelihood) -> Score:
        if not found.logprobs:
            why = f"{found.tokens} token with nothing before it, and the model has no BOS"
            return Score.unscored(reasons.TOO_SHORT, why)
        size = len(text.encode("utf-8", "surrogatepass"))
        stats = (-math.fsum(found.logprobs), float(len(found.logprobs)), float(len(text.split())), float(size))
        value = settle(float(self.corpus(np.array(stats))), self.facts.low or 0.0, math.inf)
        if value == math.inf:
            return Score.unscored(reasons.NOT_FINITE, _beyond(self._unit, stats))
        checked = Score.of(value, self.facts.low, None)
        return checked if checked.value is None else structs.replace(checked, stats=stats)

    def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value of summed statistics, for all leading axes at once."""
        totals = np.asarray(totals, dtype=np.float64)
        each = totals[..., 0] / totals[..., _COUNTS[self._unit]]
        with np.errstate(over="ignore"):  # beyond all floats it is infinite, which is no score
            return np.asarray(each / math.log(2) if self._unit == "byte" else np.exp(each))


def _asked(sample: Sample) -> str:
    """The input as one text: a question as it is, a chat of several turns with their roles."""
    match sample.messages:
        case (Message(role="user", content=text),):
            return nfc(text)
        case turns:
            return "\n".join(f"{turn.role}: {_told(turn)}" for turn in turns)


def _told(turn: Message) -> str:
    """What a turn says, and the calls that it makes as JSON, a line each."""
    return nfc("\n".join([turn.content, *(dumps(call.as_json()) for call in turn.tool_calls)]))


def _beyond(unit: str, stats: tuple[float, ...]) -> str:
    """Why there is no perplexity: the exponential of so large a mean is beyond all floats."""
    count = stats[_COUNTS[unit]]
    why = f"exp({stats[0]:.0f} / {count:.0f}), of {count:.0f} {unit}{'' if count == 1 else 's'}, is beyond all floats"
    return f"{why}; a language written without blanks is measured by unit: byte" if unit == "word" else why
