"""A Postgres that restarts, loses connections, has none left, or whose answers are cut, split or late: no row is lost
and none is doubled."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, LimitChange, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.store.sql import SqlLedger, open_ledger

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.real
AT = datetime(2026, 3, 1, tzinfo=UTC)
MANIFEST = Manifest({"suite": "support"}, {}, {}, {"exact": MetricFacts("exact", "1")})


class Proxy:
    """A TCP proxy before a server on this machine, that cuts, refuses, holds back and splits what goes through."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self.refusing = False
        self.piece = 65_536
        self.cut_after: bytes | None = None
        self.cut_at: bytes | None = None
        self.cuts = 0
        self._losing = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.held = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection."""
        for one in self._open:
            with ExitStack() as quietly:
                quietly.callback(one.close)
                quietly.push(lambda *error: error[0] is not None and issubclass(error[0], OSError))
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self.cuts += 1

    def close(self) -> None:
        self._listening.close()
        self.flowing.set()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            server = socket.create_connection(self._upstream)
            self._open += [client, server]
            for source, sink, is_client in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, is_client), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_client: bool) -> None:
        try:
            while data := source.recv(65_536):
                if not self.flowing.is_set():
                    self.held.set()
                    self.flowing.wait()
                if is_client and self.cut_at is not None and self.cut_at in data:  # the server never gets it
                    self.cut_at = None
                    self.cut()
                    return
                if is_client and self.cut_after is not None and self.cut_after in data:
                    self.cut_after, self._losing = None, True
                elif not is_client and self._losing:  # the server has done it, and its answer is lost
                    self._losing = False
                    self.cut()
                    return
                for start in range(0, len(data), self.piece):
                    sink.sendall(data[start : start + self.piece])
        except OSError:
            return


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    made = Proxy(sa.make_url(postgres_url).port or 5432)
    yield made
    made.close()


@pytest.fixture
def ledger(proxy: Proxy, postgres_url: str) -> Iterator[SqlLedger]:
    """A ledger behind the proxy."""
    address = sa.make_url(postgres_url).set(port=proxy.port)
    with closing(open_ledger(address.render_as_string(hide_password=False))) as opened:
        yield opened


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """no_pause(then): do something instead of waiting before a transaction is tried again."""

    def instead(then: Callable[[], object]) -> None:
        monkeypatch.setattr("haetae.store.database.sleep", lambda _: then())

    return instead


def _start(ledger: SqlLedger) -> Run:
    return ledger.start("support", MANIFEST, 1_000, AT, 7, {})


def _record(ledger: SqlLedger, run: Run, first: int, count: int = 5) -> None:
    samples = [Sample(f"s{n}", f"question {n}") for n in range(first, first + count)]
    answers = [GenerationRow(s.id, 0, f"k{s.id}", s.digest, Generation("an answer " * 40)) for s in samples]
    ledger.record(run.id, samples, answers, [ScoreRow(s.id, 0, "exact", f"k{s.id}", Score(1.0)) for s in samples], AT)


def _take_all(url: str, taken: ExitStack) -> None:
    """Open connections until the server has none left."""
    try:
        while True:
            taken.enter_context(psycopg.connect(url))
    except psycopg.OperationalError:
        return


def _has(url: str) -> tuple[int, int, int]:
    """Runs, answers and scores."""
    with psycopg.connect(url) as server:
        counted = [server.execute(f"SELECT count(*) FROM {table}") for table in ("run", "generation", "score")]  # noqa: S608  # ours
        return tuple(one.fetchone()[0] for one in counted)  # type: ignore[return-value]


def test_rows_are_there_once_however_often_the_connection_is_cut(
    ledger: SqlLedger, proxy: Proxy, postgres_url: str, no_pause: Any
) -> None:  # STO-10
    no_pause(lambda: None)
    run = _start(ledger)
    for first in range(0, 100, 5):
        proxy.cut()
        _record(ledger, run, first)
    ledger.finish(run.id, RunStatus.FINISHED, AT)
    assert _has(postgres_url) == (1, 100, 100)
    assert [account.scored for account in ledger.accounting(run.id)] == [100]


@pytest.mark.parametrize("sent", [b"COPY new_generation", b"an answer", b"INSERT INTO generation"])
def test_rows_are_there_once_though_the_connection_is_lost_while_they_are_copied(
    ledger: SqlLedger, proxy: Proxy, postgres_url: str, no_pause: Any, sent: bytes
) -> None:  # STO-10
    no_pause(lambda: None)
    run = _start(ledger)
    _record(ledger, run, 0)
    proxy.cut_at = sent
    _record(ledger, run, 5, 200)
    assert (proxy.cuts, ledger._database.again) == (1, 1)
    assert _has(postgres_url) == (1, 205, 205)


def test_what_was_committed_while_the_answer_was_lost_is_not_done_again(
    ledger: SqlLedger, proxy: Proxy, postgres_url: str, no_pause: Any
) -> None:  # STO-10, STO-16
    no_pause(lambda: None)

    def losing(what: Callable[[], Any]) -> Any:
        before, proxy.cut_after = proxy.cuts, b"COMMIT"
        done = what()
        assert proxy.cuts == before + 1
        return done

    run = losing(lambda: _start(ledger))
    assert run.id == "support.1"
    losing(lambda: _record(ledger, run, 0))
    course = [LimitChange(0.0, "m", 4, "start")]
    ended = losing(lambda: ledger.finish(run.id, RunStatus.INTERRUPTED, AT, "why", course))
    assert ended.course == ledger.run(run.id).course == tuple(course)
    assert losing(lambda: ledger.resume(run.id)).status is RunStatus.RUNNING
    losing(lambda: ledger.enqueue("mlflow", run.id, "key", AT))
    assert len(ledger.pending()) == 1
    _record(ledger, run, 5)
    assert _has(postgres_url) == (1, 10, 10)


def test_answers_that_come_in_single_bytes_are_understood(
    ledger: SqlLedger, proxy: Proxy, postgres_url: str
) -> None:  # STO-10
    proxy.piece = 1
    run = _start(ledger)
    for first in range(0, 20, 5):
        _record(ledger, run, first)
    assert len(ledger.results(run.id)) == 20
    assert _has(postgres_url) == (1, 20, 20)


def test_a_server_that_says_nothing_for_a_while_is_waited_for(
    ledger: SqlLedger, proxy: Proxy, postgres_url: str
) -> None:  # STO-10
    run = _start(ledger)
    proxy.flowing.clear()
    recording = threading.Thread(target=_record, args=(ledger, run, 0))
    recording.start()
    assert proxy.held.wait(60)
    assert _has(postgres_url) == (1, 0, 0)
    proxy.flowing.set()
    recording.join(60)
    assert not recording.is_alive()
    assert _has(postgres_url) == (1, 5, 5)


def test_an_address_that_refuses_for_a_while_is_waited_for_and_then_reported(
    ledger: SqlLedger, proxy: Proxy, postgres_url: str, no_pause: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-10
    run, refused = _start(ledger), []
    proxy.refusing = True
    proxy.cut()

    def fourth_time() -> None:
        refused.append(1)
        proxy.refusing = len(refused) < 4

    no_pause(fourth_time)
    _record(ledger, run, 0)
    assert len(refused) == 4
    assert ledger._database.again == 4
    proxy.refusing = True
    proxy.cut()
    monkeypatch.setattr("haetae.store.database.PATIENCE_S", -1.0)
    with pytest.raises(StoreError, match="cannot be reached; check that it runs"):
        _record(ledger, run, 5)
    proxy.refusing = False
    assert _has(postgres_url) == (1, 5, 5)


def test_a_server_that_restarts_again_and_again_loses_and_doubles_nothing(own_postgres: Any) -> None:  # STO-10
    url = f"{own_postgres.url}/postgres"
    with open_ledger(url) as ledger:
        run, recorded, failed = _start(ledger), threading.Semaphore(0), []

        def work() -> None:
            try:
                for first in range(0, 300, 5):
                    _record(ledger, run, first)
                    recorded.release()
            except StoreError as exc:
                failed.append(exc)
                recorded.release(300)

        working = threading.Thread(target=work)
        working.start()
        for _ in range(3):
            for _ in range(8):
                recorded.acquire()
            own_postgres.stop()
            own_postgres.start()
        working.join(120)
        assert failed == []
        ledger.finish(run.id, RunStatus.FINISHED, AT)
        assert _has(url) == (1, 300, 300)
        assert ledger._database.again >= 1


def test_a_server_without_a_connection_left_is_waited_for(own_postgres: Any, no_pause: Any) -> None:  # STO-10
    url = f"{own_postgres.url}/postgres"
    own_postgres.stop()
    own_postgres.start("-c max_connections=6")
    with open_ledger(url) as ledger, ExitStack() as taken:
        run = _start(ledger)
        ledger._database.close()  # its connections go, and others take all there are
        _take_all(url, taken)
        with pytest.raises(StoreError, match="too many clients already; the server has no connection left; raise max"):
            open_ledger(url)  # a server that was never met is not waited for
        no_pause(taken.close)
        _record(ledger, run, 0)
        assert ledger._database.again >= 1
    assert _has(url) == (1, 5, 5)


def test_of_two_transactions_in_a_deadlock_both_are_done(postgres_url: str) -> None:  # STO-11
    with open_ledger(postgres_url) as one, open_ledger(postgres_url) as two:
        for number in (1, 2):
            one.register("prompt", f"p{number}", {"n": number}, AT)
            one.set_alias("prompt", f"p{number}", "production", 1, AT)
        both = threading.Barrier(2)
        firsts: list[str] = []

        def work(order: tuple[str, str]) -> Callable[[sa.Connection], None]:
            def touch(connection: sa.Connection) -> None:
                move = sa.text("UPDATE alias SET alias = alias || '!' WHERE name = :name")
                connection.execute(move, {"name": order[0]})
                if firsts.count(order[0]) == 0:  # a first try meets the other's
                    firsts.append(order[0])
                    both.wait(60)
                connection.execute(move, {"name": order[1]})

            return touch

        orders = ((one, ("p1", "p2")), (two, ("p2", "p1")))
        threads = [
            threading.Thread(target=ledger._database._transact, args=(ledger._database._writer, "moving", work(order)))
            for ledger, order in orders
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert one._database.again + two._database.again == 1
        assert {version.aliases for version in one.versions("prompt")} == {("production!!",)}


def test_a_transaction_that_cannot_be_serialised_is_done_again(postgres_url: str, no_pause: Any) -> None:  # STO-11
    no_pause(lambda: None)
    with open_ledger(postgres_url) as ledger, psycopg.connect(postgres_url, autocommit=True) as other:
        run = _start(ledger)

        def work(connection: sa.Connection) -> None:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            connection.exec_driver_sql("SELECT total FROM run")
            if ledger._database.again == 0:
                other.execute("UPDATE run SET total = total + 1")
            connection.exec_driver_sql("UPDATE run SET total = total + 1")

        ledger._database.write("counting", work)
        assert ledger._database.again == 1
        assert ledger.run(run.id).total == 1_002
