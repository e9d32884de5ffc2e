"""The quiz as an Inspect task with a planted model: `python inspect_quiz.py SIDE FORMAT SAMPLES FOLDER`."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path

import inspect_ai
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelAPI, ModelOutput, modelapi
from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, PARTIAL, Score, accuracy, mean, scorer, stderr
from inspect_ai.solver import generate

QUIZ = [json.loads(line) for line in Path(__file__).with_name("questions.jsonl").read_text("utf-8").splitlines()]
BY_QUESTION = {row["question"]: row for row in QUIZ}
ASKED: dict[str, int] = {}


@modelapi(name="planted")
class Planted(ModelAPI):
    """Gives the answers that stand in questions.jsonl under the model's name, and fails at one of them."""

    async def generate(self, input, tools, tool_choice, config):  # noqa: A002  # Inspect's own name
        row = BY_QUESTION[input[-1].text]
        turn = ASKED[row["id"]] = ASKED.get(row["id"], 0) + 1
        if self.model_name == "candidate" and row["id"] == "ko-science-3" and turn == 2:
            raise RuntimeError("응답 없음: the planted failure")
        return ModelOutput.from_content(self.model_name, row[self.model_name][turn - 1])


@scorer(metrics=[accuracy(), stderr()])
def correct():
    async def score(state, target):
        answer = state.output.completion
        choices = state.metadata["choices"]
        grade = {choices[0]: CORRECT, choices[1]: INCORRECT, choices[2]: PARTIAL}.get(answer, NOANSWER)
        return Score(value=grade, answer=answer)

    return score


@scorer(metrics=[mean()])
def closeness():
    async def score(state, target):
        if state.sample_id == "en-words-3":
            return Score.unscored(reason="grader_failed")
        return Score(value=round(difflib.SequenceMatcher(None, state.output.completion, target.text).ratio(), 4))

    return score


@scorer(metrics={"*": [mean()]})
def form():
    async def score(state, target):
        answer = state.output.completion
        return Score(value={"ascii": answer.isascii(), "letters": len(answer)})

    return score


if __name__ == "__main__":
    side, log_format, limit, folder = sys.argv[1:]
    samples = [
        Sample(
            input=row["question"],
            target=row["answer"],
            id=row["id"],
            metadata={"language": row["language"], "topic": row["topic"], "choices": row["choices"]},
        )
        for row in QUIZ
    ]
    task = inspect_ai.Task(
        name="quiz",
        dataset=MemoryDataset(samples),
        solver=generate(),
        scorer=[correct(), closeness(), form()],
        epochs=2,
    )
    inspect_ai.eval(
        task,
        model=f"planted/{side}",
        log_dir=folder,
        log_format=log_format,
        limit=int(limit),
        fail_on_error=False,
        max_samples=1,
        max_connections=1,
        display="none",
    )
