"""Fixtures for every test: reference data, a real Postgres and a real Prefect server, each started once a session."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from absl import logging as absl_logging

_NUMBERS = count(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in the background; what the tests start would be as deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# absl, which comes with ROUGE, closes the stream that it began with when others set logging up anew, as Prefect does,
# unless that is the process's own. Here it would be the file into which pytest catches what all tests write.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """A test that is skipped fails in CI: there every real part has to be there."""
    return _failed_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """So does a file of tests that skips itself."""
    return _failed_in_ci((yield))


def _failed_in_ci(report: Any) -> Any:
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Real outputs of real systems with published numbers, beside the checkout: not ours to ship.

    Where they are not, the test is skipped.
    """
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        missing = f"the reference data is not in {folder}"
        pytest.skip(missing)
    return folder


@pytest.fixture
def png() -> Callable[..., bytes]:
    """png(red): a real PNG of one pixel; with `padding` so many bytes in a chunk that viewers pass over."""

    def make(red: int = 200, padding: int = 0) -> bytes:
        def chunk(name: bytes, body: bytes) -> bytes:
            return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

        pixel = chunk(b"IDAT", zlib.compress(bytes([0, red, 30, 30])))
        more = chunk(b"teXt", bytes(padding)) if padding else b""
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
            + more
            + pixel
            + chunk(b"IEND", b"")
        )

    return make


@pytest.fixture(scope="session")
def tiny_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a causal model: GPT-2 of two layers and 64 positions whose weights are sines, so that every
    machine has the same, and a byte-level BPE that has read a little English and Korean.

    Where torch is not installed the test is skipped.
    """
    if not all(map(find_spec, ("torch", "transformers"))):
        missing = "torch and transformers are not installed: make torch"
        pytest.skip(missing)
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("models") / "tiny"
    read = [
        "The server answers every request that it accepts. A job waits in its queue until a worker takes it.",
        "주문하신 상품은 결제가 끝난 다음 날 출고됩니다. 배송이 늦어지면 문자로 알려 드립니다.",
    ]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder, bpe.post_processor = decoders.ByteLevel(), processors.ByteLevel(trim_offsets=True)
    bpe.train_from_iterator(
        read,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    end = "<|endoftext|>"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=end, eos_token=end, pad_token=end)
    tokenizer.save_pretrained(folder)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
        )
    )
    with torch.no_grad():
        for place, weights in enumerate(model.parameters()):
            waves = torch.sin(torch.arange(weights.numel(), dtype=torch.float64) * (0.7 + place / 9) + place)
            weights.copy_((0.4 * waves).reshape(weights.shape))
    model.save_pretrained(folder)
    return folder


class Cluster:
    """A Postgres cluster in a temporary folder, that can be restarted. Close it."""

    def __init__(self, binaries: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="haetae-postgres-"))
        root = os.geteuid() == 0
        if root:  # initdb refuses to run as root
            shutil.chown(self._folder, "postgres")
        self._user = ["runuser", "-u", "postgres", "--"] if root else []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        data = str(self._folder / "data")
        self._control = [str(binaries / "pg_ctl"), "-D", data, "-w"]
        initdb = [str(binaries / "initdb"), "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C"]
        self._run(*initdb, "-D", data)

    @property
    def url(self) -> str:
        """Without a database name."""
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def start(self, more: str = "") -> None:
        """Start the server; `more` are options of its command line."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -c fsync=off {more}"
        self._run(*self._control, "-l", str(self._folder / "log"), "-o", f"{options} -c full_page_writes=off", "start")

    def stop(self) -> None:
        """End the server at once, as a crash would."""
        self._run(*self._control, "-m", "immediate", "stop")

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *command: str) -> None:
        done = subprocess.run([*self._user, *command], cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A Postgres started here. Where none is installed the test is skipped."""
    binaries = _binaries()
    if binaries is None:
        missing = "no Postgres is installed (initdb is neither on PATH nor in /usr/lib/postgresql)"
        pytest.skip(missing)
    cluster = Cluster(binaries)
    try:
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a Postgres server without a database name: HAETAE_TEST_POSTGRES, or one started here."""
    if given := os.environ.get("HAETAE_TEST_POSTGRES"):
        yield given.rstrip("/")
        return
    with running_cluster() as cluster:
        yield cluster.url


@pytest.fixture
def own_postgres() -> Iterator[Cluster]:
    """A Postgres of the test alone, which may be stopped and started."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database that lives as long as the test."""
    psycopg = pytest.importorskip("psycopg")
    name = f"haetae_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{postgres_server}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Prefect server with a database of its own. Flows and clients in this process talk to it over HTTP."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DO_NOT_TRACK", "true")
    patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_HOME,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    home = {PREFECT_HOME: tmp_path_factory.mktemp("prefect")}
    with temporary_settings(home), prefect_test_harness(server_startup_timeout=180), temporary_settings(quiet):
        yield
    patch.undo()


def _binaries() -> Path | None:
    """The folder of the newest installed Postgres."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (installed[-1] if installed else None)
    return None if found is None else Path(found).resolve().parent
