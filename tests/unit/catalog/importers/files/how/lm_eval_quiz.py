"""lm-evaluation-harness with a planted model: `python lm_eval_quiz.py SIDE FOLDER`, in this folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

QUIZ = [json.loads(line) for line in Path(__file__).with_name("questions.jsonl").read_text("utf-8").splitlines()]
BY_QUESTION = {row["question"]: row for row in QUIZ}


@register_model("planted")
class Planted(LM):
    """Gives the answers that stand in questions.jsonl under the side's name."""

    def __init__(self, side: str = "baseline", **_: object) -> None:
        super().__init__()
        self.side = side
        self.asked: dict[str, int] = {}

    def generate_until(self, requests, disable_tqdm=False):
        return [self._answer(request.args[0]) for request in requests]

    def _answer(self, question: str) -> str:
        turn = self.asked[question] = self.asked.get(question, 0) + 1
        return BY_QUESTION[question][self.side][turn - 1]

    def loglikelihood(self, requests, disable_tqdm=False):
        """The answer given is likelier than the others by little: by length, a long other one may win."""
        scored = []
        for request in requests:
            question, choice = request.args[0], request.args[1].strip()
            given = BY_QUESTION[question][self.side][0]
            scored.append((-4.0 if choice == given else -4.5, choice == given))
        return scored

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        raise NotImplementedError("the quiz asks for no perplexity")


if __name__ == "__main__":
    side, folder = sys.argv[1:]
    options = "run --model planted --model_args side={} --tasks quiz,quiz_choice --include_path lm_eval_tasks"
    sys.argv = ["lm_eval", *options.format(side).split(), "--log_samples", "--output_path", folder]
    cli_evaluate()
