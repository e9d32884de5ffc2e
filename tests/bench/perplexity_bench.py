"""Tokens per second of perplexity in process, beside what others do with the same model, as ratios in one run.

    python tests/bench/perplexity_bench.py [--texts 300] [--rounds 3] [--threads N]
        [--evaluate FOLDER] [--lm-eval PYTHON]

A GPT-2 of random weights (6 layers of 384, 16,000 tokens) and English and Korean texts of mixed length. Always
beside them is the algorithm of Hugging Face evaluate's `perplexity`: all texts padded to the longest, 16 at a
time in their order, cross entropy over every position. `--evaluate` runs the module itself from a local folder
that holds its perplexity.py, `--lm-eval` the harness's rolling likelihood under the Python of an environment
that has it, with the best of four batch sizes. Loading is timed nowhere. Processor seconds are of all threads of
the process: on a busy machine they say more than the clock. Nothing here is an assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.utils import logging

from haetae.core.clock import SystemClock
from haetae.core.local_spec import LocalSpec
from haetae.core.model import Likelihood
from haetae.targets.local import Local

_ENGLISH = ["the", "server", "answers", "every", "request", "while", "a", "job", "waits", "until", "some", "worker"]
_KOREAN = ["주문하신", "상품은", "결제가", "끝난", "다음", "날", "출고됩니다", "배송이", "늦어지면", "문자로", "알려"]
_LM_EVAL = """
import json, sys, time
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
folder, texts = sys.argv[1], json.load(open(sys.argv[2]))
best = None
for size in (1, 2, 4, 8):
    model = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=size, max_length=1024)
    asked = [Instance("loglikelihood_rolling", {}, (text,), n) for n, text in enumerate(texts)]
    model.loglikelihood_rolling(asked[:4], disable_tqdm=True)
    started, busy = time.perf_counter(), time.process_time()
    found = model.loglikelihood_rolling(asked, disable_tqdm=True)
    busy, took = time.process_time() - busy, time.perf_counter() - started
    if best is None or busy < best[1]:
        best = took, busy, [-value for value in found], size
print(json.dumps(best))
"""

Measured = tuple[float, float, list[float]]
"""Seconds of the clock, seconds of the processors, and the NLL of each text."""


class Stopwatch:
    """Both clocks, from its making on."""

    def __init__(self) -> None:
        self._wall, self._busy = time.perf_counter(), time.process_time()

    def __call__(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._busy


def make_texts(count: int, seed: int) -> list[str]:
    """Texts of 4 to 700 words: many short ones and a few long, as answers are."""
    rng = random.Random(seed)  # noqa: S311  # texts, not secrets
    lengths = [min(700, max(4, round(rng.lognormvariate(3.7, 1.0)))) for _ in range(count)]
    return [" ".join(rng.choices(_KOREAN if n % 3 == 0 else _ENGLISH, k=length)) for n, length in enumerate(lengths)]


def make_model(folder: Path, texts: Sequence[str]) -> None:
    """A tokenizer that has read the texts, and weights that nobody trained."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    end = "<|endoftext|>"
    trainer = trainers.BpeTrainer(
        vocab_size=1_000, special_tokens=[end], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=end, eos_token=end, pad_token=end).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"vocab_size": 16_000, "n_positions": 1024, "n_embd": 384, "n_layer": 6, "n_head": 6}
    GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(folder)


def ours(folder: Path, texts: Sequence[str], in_flight: int) -> Callable[[], Measured]:
    """Likelihoods asked of the model in process, `in_flight` at once."""

    async def work() -> Measured:
        model = Local(folder, LocalSpec(path="m"), fingerprint={}, window=1024, stride=512, clock=SystemClock())
        slots = asyncio.Semaphore(in_flight)

        async def ask(text: str) -> float:
            async with slots:
                found = await model.likelihood(text)
            if not isinstance(found, Likelihood):
                raise SystemExit(found.message)
            return -math.fsum(found.logprobs)

        await ask(texts[0])
        watch = Stopwatch()
        nll = await asyncio.gather(*map(ask, texts))
        took = watch()
        await model.aclose()
        return *took, list(nll)

    return lambda: asyncio.run(work())


def padded_to_the_longest(folder: Path, texts: Sequence[str]) -> Callable[[], Measured]:
    """The algorithm of evaluate's metric, on a model that is loaded once."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    entropy = torch.nn.CrossEntropyLoss(reduction="none")

    def measure() -> Measured:
        watch, nll = Stopwatch(), []
        whole = tokenizer(list(texts), add_special_tokens=False, padding=True, return_tensors="pt")
        for at in range(0, len(texts), 16):
            ids, mask = whole["input_ids"][at : at + 16], whole["attention_mask"][at : at + 16]
            ids = torch.cat([torch.full((len(ids), 1), tokenizer.bos_token_id), ids], dim=1)
            seen = torch.cat([torch.ones((len(ids), 1), dtype=torch.long), mask], dim=1)
            with torch.no_grad():
                logits = model(ids, attention_mask=seen).logits[:, :-1]
            nll += (entropy(logits.transpose(1, 2), ids[:, 1:]) * mask).sum(1).tolist()
        return *watch(), nll

    return measure


def evaluate_itself(module: Path, folder: Path, texts: Sequence[str], tokens: Sequence[int]) -> Callable[[], Measured]:
    """The module; it loads the model in each call, so the time of a call for one word is taken off."""
    os.environ["HF_EVALUATE_OFFLINE"] = "1"
    import evaluate

    metric: Any = evaluate.load(str(module))

    def measure() -> Measured:
        watch = Stopwatch()
        metric.compute(predictions=[texts[0][:4]], model_id=str(folder))
        loading, whole = watch(), Stopwatch()
        found = metric.compute(predictions=list(texts), model_id=str(folder))["perplexities"]
        wall, busy = (all_of_it - load for all_of_it, load in zip(whole(), loading, strict=True))
        return wall, busy, [math.log(ppl) * count for ppl, count in zip(found, tokens, strict=True)]

    return measure


def lm_eval(python: Path, folder: Path, texts: Sequence[str]) -> Callable[[], Measured]:
    """The harness, in a process of its own."""
    given = folder / "texts.json"
    given.write_text(json.dumps(list(texts)), encoding="utf-8")

    def measure() -> Measured:
        command = [str(python), "-c", _LM_EVAL, str(folder), str(given)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        wall, busy, nll, size = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"  (lm-evaluation-harness was fastest with batches of {size})")
        return wall, busy, nll

    return measure


def main() -> None:
    """Interleave the contestants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--evaluate", type=Path, help="a folder named perplexity with evaluate's perplexity.py")
    parser.add_argument("--lm-eval", type=Path, help="the Python of an environment with lm-evaluation-harness")
    options = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # for the harness's process
    texts = make_texts(options.texts, seed=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_model(folder, texts)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        tokens = [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids]
        contestants = {
            "haetae, all at once": ours(folder, texts, len(texts)),
            "haetae, 32 in flight": ours(folder, texts, 32),
            "evaluate's algorithm": padded_to_the_longest(folder, texts),
        }
        if options.evaluate:
            contestants["evaluate itself"] = evaluate_itself(options.evaluate, folder, texts, tokens)
        if options.lm_eval:
            contestants["lm-evaluation-harness"] = lm_eval(options.lm_eval, folder, texts)
        found: dict[str, list[Measured]] = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, measure in contestants.items():
                found[name].append(measure())
    total, first = sum(tokens), "haetae, all at once"
    print(
        f"\n{len(texts)} texts, {total:,} tokens ({min(tokens)} to {max(tokens)}), {torch.get_num_threads()} threads\n"
    )
    print("| | tokens/s | wall, times haetae's | processor s | times haetae's | largest difference of an NLL |")
    print("|---|---|---|---|---|---|")
    took = {name: [statistics.median(one[n] for one in each) for n in (0, 1)] for name, each in found.items()}
    for name, each in found.items():
        apart = max(abs(a - b) / b for a, b in zip(each[0][2], found[first][0][2], strict=True))
        wall, busy = (mine / ours_ for mine, ours_ in zip(took[name], took[first], strict=True))
        print(
            f"| {name} | {total / took[name][0]:,.0f} | {wall:.2f} | {took[name][1]:.1f} | {busy:.2f} | {apart:.1e} |"
        )


if __name__ == "__main__":
    main()
