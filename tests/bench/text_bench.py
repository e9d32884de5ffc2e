"""Speed of the text metrics beside the packages they follow, in one run; memory over a stream; the loop meanwhile.

    python tests/bench/text_bench.py [--pairs 10000] [--stream 1000000]

Ours scores whole samples, as the engine calls it; theirs is called at its core: `RougeScorer.score`, and
sacrebleu's own extraction of statistics. Both in turns of a thousand pairs that neither has seen, in processor
seconds. The search of TER is sacrebleu's in both. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from typing import Any

from haetae.core.generation import Generation
from haetae.core.metric import Metric
from haetae.core.sample import Sample
from haetae.engine.scoring import score
from haetae.metrics.reference.bleu import Bleu
from haetae.metrics.reference.chrf import Chrf
from haetae.metrics.reference.rouge import Rouge
from haetae.metrics.reference.short_answers import TokenF1
from haetae.metrics.reference.ter import Ter

Pairs = list[tuple[str, str]]
_TURN = 1_000
_WORDS = 60
_MEGABYTE = 1_000_000


def stream(seed: int, words: int = _WORDS) -> Iterator[tuple[str, str]]:
    """Pairs of a reference and an answer that keeps six of ten of its words: no end, no pair twice."""
    rng = random.Random(seed)  # noqa: S311  # texts, not secrets
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(4_000)]
    common = list(accumulate(1 / (rank + 1) for rank in range(4_000)))  # as words of a language are
    while True:
        reference = rng.choices(vocabulary, cum_weights=common, k=words)
        replaced = rng.choices(vocabulary, cum_weights=common, k=words)
        answer = [new if rng.random() < 0.4 else old for old, new in zip(reference, replaced, strict=True)]
        yield " ".join(reference) + ".", " ".join(answer) + "."


def by_haetae(*metrics: Metric) -> Callable[[Pairs], Any]:
    """Score every pair as a sample of its own, with each metric."""

    def work(pairs: Pairs) -> None:
        for reference, answer in pairs:
            sample, generation = Sample("s", "", (reference,)), Generation(answer)
            for metric in metrics:
                metric.score(sample, generation)

    return work


def by_rouge_score(*variants: str) -> Callable[[Pairs], Any]:
    """Score every pair with the rouge-score package, which cuts a text once for all variants."""
    from rouge_score.rouge_scorer import RougeScorer  # takes seconds and memory that the stream is not to bear

    scorer = RougeScorer([f"rouge{variant}" for variant in variants])
    return lambda pairs: [scorer.score(*pair) for pair in pairs]


def by_sacrebleu(metric: Any) -> Callable[[Pairs], Any]:
    """Extract the statistics of all pairs with sacrebleu, as its corpus score does."""
    return lambda pairs: metric._extract_corpus_statistics([pair[1] for pair in pairs], [[pair[0] for pair in pairs]])


def compared(ours: Callable[[Pairs], Any], theirs: Callable[[Pairs], Any], count: int) -> tuple[float, float]:
    """Processor seconds of both over `count` pairs, in turns; each turn begins with the other one."""
    spent = [0.0, 0.0]
    pairs = stream(7)
    for turn in range(count // _TURN):
        given = list(islice(pairs, _TURN))
        for who in (0, 1) if turn % 2 else (1, 0):
            start = time.process_time()
            (ours, theirs)[who](given)
            spent[who] += time.process_time() - start
    return spent[0], spent[1]


def beside_the_packages(count: int) -> None:
    """Print how fast each metric is beside the package that it follows."""
    from sacrebleu.metrics import BLEU, CHRF

    rouges = ("1", "2", "L", "Lsum")
    contests: list[tuple[str, Callable[[Pairs], Any], str, Callable[[Pairs], Any], int]] = [
        *(
            (f"ROUGE-{variant}", by_haetae(Rouge(variant)), "rouge-score", by_rouge_score(variant), count)
            for variant in rouges
        ),
        ("all four ROUGE", by_haetae(*map(Rouge, rouges)), "rouge-score", by_rouge_score(*rouges), count),
        ("BLEU", by_haetae(Bleu("13a")), "sacrebleu", by_sacrebleu(BLEU()), count),
        ("chrF", by_haetae(Chrf()), "sacrebleu", by_sacrebleu(CHRF()), count),
        ("chrF++", by_haetae(Chrf(2)), "sacrebleu", by_sacrebleu(CHRF(word_order=2)), count),
    ]
    print(f"| metric, pairs of {_WORDS} words | beside | pairs | Haetae, pairs a second | theirs | ratio |")
    print("|---|---|---|---|---|---|")
    for name, ours, package, theirs, pairs in contests:
        fast, slow = compared(ours, theirs, pairs)
        print(f"| {name} | {package} | {pairs:,} | {pairs / fast:,.0f} | {pairs / slow:,.0f} | {slow / fast:.1f} |")


def in_bounded_memory(count: int) -> None:
    """Print the peak memory of processes that score a stream of pairs, after a few and after all of them."""
    print("\n| ROUGE-L over a stream | CPU s | peak MB |\n|---|---|---|")
    for pairs in (count // 100, count):
        command = [sys.executable, __file__, "--pairs", "0", "--score-stream", str(pairs)]
        spent, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"| {pairs:,} pairs of {_WORDS} words | {spent} | {peak} |")


def score_stream(pairs: int) -> None:
    """Score a stream and print processor seconds, the making of the texts included, and peak memory in MB."""
    metric = Rouge("L")
    for reference, answer in islice(stream(3), pairs):
        metric.score(Sample("s", "", (reference,)), Generation(answer))
    with open("/proc/self/status") as status:  # getrusage would tell of the process that started this one
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(f"{time.process_time():.1f}", peak // 1024)


async def longest_wait(metric: Metric, sample: Sample, answer: Generation) -> tuple[float, float]:
    """Seconds until the score was there, and the longest that the loop was away meanwhile."""
    task = asyncio.create_task(score(metric, sample, answer))
    began = turned = time.perf_counter()
    longest = 0.0
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, turned = max(longest, now - turned), now
    return turned - began, longest


def while_the_loop_turns() -> None:
    """Print how long an output of a megabyte, and one just too short for a thread, keeps the event loop waiting."""
    references, answers = (" ".join(texts) for texts in zip(*islice(stream(5), 4_000), strict=True))
    print("\n| metric | output | reference | until scored, s | longest wait of the loop, ms |\n|---|---|---|---|---|")
    for metric in (Rouge("1"), Rouge("L"), TokenF1(), Bleu("13a"), Chrf(2), Ter()):
        for output, reference in ((_MEGABYTE, 300), (_MEGABYTE, _MEGABYTE), (2_400, 2_400)):
            sample, answer = Sample("s", "", (references[:reference],)), Generation(answers[:output])
            spent, wait = asyncio.run(longest_wait(metric, sample, answer))
            print(f"| {metric.facts.text} | {output:,} | {reference:,} | {spent:.2f} | {wait * 1000:.0f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--stream", type=int, default=1_000_000)
    parser.add_argument("--score-stream", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.score_stream is not None:
        score_stream(args.score_stream)
        return
    beside_the_packages(args.pairs)
    in_bounded_memory(args.stream)
    while_the_loop_turns()


if __name__ == "__main__":
    main()
