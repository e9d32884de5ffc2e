"""A context that names an address or a picture is text to every RAG metric: nothing is fetched, nothing opened."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from haetae.core.generation import Generation
from haetae.core.model import Embeddings
from haetae.core.sample import Message, Sample
from haetae.metrics.rag.answer import AnswerRelevancy, Faithfulness
from haetae.metrics.rag.context import ContextPrecision, ContextRecall, ContextRelevancy
from haetae.metrics.rag.correctness import AnswerCorrectness

pytest.importorskip("ragas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn at import
    from haetae.metrics.rag.ragas_adapter import KINDS, Ragas

PICTURE = bytes.fromhex("89504e470d0a1a0a")
STATEMENT = {"statement": "s", "reason": "r", "verdict": 1, "attributed": 1}
REPLIES: Mapping[str, Any] = {
    "statements": {"statements": ["s"]},
    "verdicts": {"verdicts": [{"index": 1, "reason": "r", "verdict": 1}]},
    "attribution": {"statements": ["s"], "verdicts": [{"index": 1, "reason": "r", "verdict": 1}]},
    "usefulness": {"reason": "r", "verdict": 1},
    "relevance": {"reason": "r", "rating": 2},
    "questions": {"noncommittal": 0, "questions": ["q", "q", "q"]},
    "StatementGeneratorOutput": {"statements": ["s"]},
    "NLIStatementOutput": {"statements": [STATEMENT]},
    "StatementFaithfulnessOutput": {"statements": [STATEMENT]},
    "ContextRecallOutput": {"classifications": [STATEMENT]},
    "ContextPrecisionOutput": {"reason": "r", "verdict": 1},
    "ContextRelevanceOutput": {"rating": 2},
    "AnswerRelevanceOutput": {"question": "q", "noncommittal": 0},
    "ClaimDecompositionOutput": {"claims": ["s"]},
    "ClassificationWithReason": {"TP": [STATEMENT], "FP": [], "FN": []},
}


class Agreeable:
    """A judge and an embedding model that say yes to everything, and keep what they were shown."""

    fingerprint: Mapping[str, Any] = {"model": "agreeable"}

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **_: Any) -> Generation:
        self.shown += [message.content for message in messages]
        assert not any(message.images for message in messages)
        return Generation(json.dumps(REPLIES[schema["title"]]))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return Embeddings(((1.0, 0.0),) * len(texts))


@pytest.fixture
def hits() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PICTURE)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


WATCHED: list[tuple[str, list[str]]] = []
"""The name of a file that is watched beside /etc/passwd, and the events that named one; empty where none is."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHED and event in ("open", "os.listdir", "socket.connect", "socket.getaddrinfo"):
        name, events = WATCHED[0]
        if event != "open" or any(one in str(arguments[0]) for one in (name, "/etc/passwd")):
            events.append(f"{event} {arguments[:2]}")


sys.addaudithook(_audit)  # cannot be taken back; it does nothing while no file is watched


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A picture, and every attempt to open it, or to reach for the network at all."""
    picture = tmp_path / "watched-picture.png"
    picture.write_bytes(PICTURE)
    WATCHED.append((picture.name, []))
    yield picture, WATCHED[0][1]
    WATCHED.clear()


OURS: Mapping[str, Callable[[Any], Any]] = {
    "faithfulness": lambda judge: Faithfulness(model=judge),
    "answer_relevancy": lambda judge: AnswerRelevancy(model=judge, embeddings=judge),
    "answer_correctness": lambda judge: AnswerCorrectness(model=judge, embeddings=judge),
    "context_relevancy": lambda judge: ContextRelevancy(model=judge),
    "context_precision": lambda judge: ContextPrecision(model=judge),
    "context_recall": lambda judge: ContextRecall(model=judge),
}
RAGAS = {f"ragas/{kind}": lambda judge, kind=kind: Ragas(kind, model=judge, embeddings=judge) for kind in KINDS}
METRICS: Mapping[str, Callable[[Any], Any]] = {**OURS, **RAGAS}


@pytest.mark.parametrize("name", METRICS)
def test_an_address_and_a_picture_in_a_context_stay_text(
    name: str, hits: tuple[str, list[str]], watched: tuple[Path, list[str]]
) -> None:  # SEC-26
    (address, asked), (picture, events) = hits, watched
    contexts = (
        *(f"{address}/picture.png", f"![]({address}/inline.png)", "file:///etc/passwd"),
        *(str(picture), picture.as_uri(), "data:image/png;base64,iVBORw0KGgo="),
    )
    judge = Agreeable()
    sample = Sample("s", f"What is on {address}/question.png?", (f"{address}/reference.png",))

    async def score() -> Any:
        metric = METRICS[name](judge)
        events.clear()  # the loop of this test has opened its own pair of sockets
        return await metric.score(sample, Generation(f"See {address}/answer.png", contexts=contexts))

    assert asyncio.run(score()).value is not None
    assert (asked, events) == ([], [])
    assert address in "".join(judge.shown)


def test_the_watch_sees_an_open_and_a_fetch(hits: tuple[str, list[str]], watched: tuple[Path, list[str]]) -> None:
    import urllib.request

    (address, asked), (picture, events) = hits, watched
    picture.read_bytes()
    assert [event.split()[0] for event in events] == ["open"]
    with urllib.request.urlopen(f"{address}/picture.png") as reply:  # noqa: S310  # the address of this test
        assert reply.read() == PICTURE
    assert asked == ["/picture.png"]
    assert "socket.connect" in {event.split()[0] for event in events}
