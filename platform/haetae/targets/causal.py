"""A Hugging Face causal language model: how probable it finds texts, and what it writes. Needs the extra `hf`.

Nothing is fetched, no code of a model's own is run, and only safetensors are read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteria
from transformers.utils import logging

from haetae.core.local_spec import LocalDecoding, LocalSpec
from haetae.targets.windows import Window, batches, windows

Ids = list[int]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote, the tokens it read and wrote, and whether it came to an end by itself."""

    text: str
    read: int
    written: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Found:
    """Of one text: its scored tokens' log probabilities, how many tokens it has, how many were read for it."""

    logprobs: tuple[float, ...]
    tokens: int
    read: int


class Causal:
    """The model and its tokenizer, loaded. One thread may use it at a time. `check` is called between batches
    and between the tokens that it writes, and may raise to break the work off.

    Texts are tokenized as text: what looks like a special token in one is not one. Log probabilities are
    computed in float32 whatever the model's precision, and rows are padded on the right, where nothing
    that is scored looks.
    """

    def __init__(
        self, folder: Path, spec: LocalSpec, window: int, stride: int, check: Callable[[], None] = lambda: None
    ) -> None:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=getattr(torch, spec.precision),
        )
        self._model = model.to(spec.device).eval()
        self._texts = _of_plain_text(self._tokenizer)
        self._bos: Ids = [self._tokenizer.bos_token_id] if spec.bos and self._tokenizer.bos_token_id is not None else []
        self._spec, self._window, self._stride, self._check = spec, window, stride, check
        self._keeps = "logits_to_keep" in inspect.signature(self._model.forward).parameters

    def likelihoods(self, asked: Sequence[tuple[str, str]]) -> list[Found]:
        """How probable each text is after its prompt, for pairs (prompt, text)."""
        encodings = self._texts.encode_batch([prompt + text for prompt, text in asked], add_special_tokens=False)
        rows, firsts = [], []
        for (prompt, _), encoding in zip(asked, encodings, strict=True):
            before = sum(end <= len(prompt) for _, end in encoding.offsets) if prompt else 0
            rows.append(self._bos + encoding.ids)
            firsts.append(len(self._bos) + before)
        scored: list[list[float]] = [[] for _ in rows]
        for window, logprobs in self._scored(rows, firsts):
            scored[window.of] += logprobs
        return [Found(tuple(scored[n]), len(row) - firsts[n], len(row)) for n, row in enumerate(rows)]

    def _scored(self, rows: Sequence[Ids], firsts: Sequence[int]) -> list[tuple[Window, list[float]]]:
        """Every window with the log probabilities that it scores, those of one row in their order."""
        cut = [
            window
            for n, row in enumerate(rows)
            for window in windows(n, len(row), firsts[n], self._window, self._stride)
        ]
        done = [
            pair
            for group in batches(cut, self._spec.at_once)
            for pair in zip(group, self._forward(rows, group), strict=True)
        ]
        return sorted(done, key=lambda pair: (pair[0].of, pair[0].begin, pair[0].scored))

    @torch.inference_mode()
    def _forward(self, rows: Sequence[Ids], group: Sequence[Window]) -> list[list[float]]:
        self._check()
        width = group[0].length
        ids = torch.zeros((len(group), width), dtype=torch.long)
        for n, window in enumerate(group):
            ids[n, : window.length] = torch.tensor(rows[window.of][window.begin : window.end])
        start = min(window.scored - window.begin for window in group) - 1
        ids = ids.to(self._spec.device)
        kept: dict[str, Any] = {"logits_to_keep": width - start} if self._keeps else {}
        logits = self._model(input_ids=ids, use_cache=False, **kept).logits[:, start - width : -1]
        following = ids[:, start + 1 :]
        logprobs = torch.stack([_logprobs(*row) for row in zip(logits, following, strict=True)]).tolist()
        return [logprobs[n][w.scored - w.begin - 1 - start : w.length - 1 - start] for n, w in enumerate(group)]

    def reply(self, turns: Sequence[dict[str, str]], decoding: LocalDecoding) -> Reply:
        """The model's answer to a chat; none is written where the chat fills the context."""
        prompt, ends = self._chat_ids(turns), self._ends()
        room = min(decoding.max_tokens, self._window - len(prompt))
        if room < 1 or not prompt:
            return Reply("", len(prompt), 0, False)
        sampled: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if decoding.temperature:
            sampled = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
        ids = torch.tensor([prompt], device=self._spec.device)
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(decoding.seed)
            whole = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=room,
                eos_token_id=ends or None,
                pad_token_id=ends[0] if ends else 0,
                stopping_criteria=[_Checked(self._check)],
                **sampled,
            )
        made = whole[0, len(prompt) :].tolist()
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        return Reply(text, len(prompt), len(made), bool(made) and made[-1] in ends)

    def _chat_ids(self, turns: Sequence[dict[str, str]]) -> Ids:
        """The chat by the tokenizer's template, whose special tokens count; those in a turn's text do not."""
        if not self._tokenizer.chat_template:
            text = "\n".join(turn["content"] for turn in turns)
            return self._bos + self._texts.encode(text, add_special_tokens=False).ids
        special = [str(token) for token in self._tokenizer.added_tokens_decoder.values()]
        if not any(token in turn["content"] for token in special for turn in turns):
            return list(self._framed(turns))
        marks = [f"\ue000{n}\ue001" for n in range(len(turns))]  # for private use: no template writes them
        frame = self._framed([{**turn, "content": mark} for turn, mark in zip(turns, marks, strict=True)], text=True)
        ids: Ids = []
        for turn, mark in zip(turns, marks, strict=True):
            before, found, frame = frame.partition(mark)
            if not found:
                raise ValueError("the chat template leaves out a turn, and a turn holds a special token")
            ids += self._tokenizer(before, add_special_tokens=False).input_ids
            ids += self._texts.encode(turn["content"], add_special_tokens=False).ids
        return ids + list(self._tokenizer(frame, add_special_tokens=False).input_ids)

    def _framed(self, turns: Sequence[dict[str, str]], *, text: bool = False) -> Any:
        return self._tokenizer.apply_chat_template(
            list(turns), tokenize=not text, add_generation_prompt=True, return_dict=False
        )

    def _ends(self) -> Ids:
        declared = self._model.generation_config.eos_token_id
        return [declared] if isinstance(declared, int) else list(declared or ())


class _Checked(StoppingCriteria):
    """Stops nothing by itself: it calls `check` at every token."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        self._check()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _of_plain_text(tokenizer: Any) -> Tokenizer:
    """The tokenizer for texts: whole, unpadded, with the place of each token, and no token special."""
    texts = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    texts.no_truncation()
    texts.no_padding()
    texts.post_processor = None  # it would trim the places of spaces
    texts.encode_special_tokens = True
    return texts


def _logprobs(logits: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Log probability of each following token; row by row, as a float32 copy of all rows would not fit."""
    wide = logits.float()
    return wide.gather(-1, following[:, None])[:, 0] - wide.logsumexp(-1)
