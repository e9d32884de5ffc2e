"""Spans of a run over OTLP/HTTP, received by a real server on this machine that decodes the protocol buffers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from haetae.trackers.collector import open_spans


class Collector:
    """Keeps what it is sent; `status` is what it answers, `hangs` that it does not."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.status = 200
        self.release = threading.Event()
        self.release.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.release.wait(30)
                if collector.status == 200:
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Any]:
        scopes = [scope for request in self.requests for whole in request.resource_spans for scope in whole.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def resource(self) -> dict[str, Any]:
        return attributes(self.requests[0].resource_spans[0].resource)

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def attributes(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.address)
    yield made
    made.close()


def _env(collector: Collector, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, **more}


def test_spans_lie_in_one_another_and_say_what_failed(collector: Collector) -> None:
    spans, note = open_spans(_env(collector))
    assert spans is not None
    assert note is None
    with spans.span("run shop", {"haetae.run.id": "shop.1"}):
        with spans.span("chat m", {"gen_ai.request.model": "m"}, calls=True) as asked:
            asked.tell({"gen_ai.usage.input_tokens": 12})
        with spans.span("judge polite", {}) as judged:
            judged.failed("judge_failed")
        with pytest.raises(ZeroDivisionError), spans.span("generate", {}):
            raise ZeroDivisionError("what the user asked")
    assert spans.close(30.0) is None
    named = {span.name: span for span in collector.spans}
    run = named["run shop"]
    assert {named[name].parent_span_id for name in ("chat m", "judge polite", "generate")} == {run.span_id}
    assert run.parent_span_id == b""
    assert attributes(named["chat m"]) == {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 12}
    assert (named["chat m"].kind, named["generate"].kind) == (3, 1)  # client and internal
    assert [(named[n].status.code, named[n].status.message) for n in ("judge polite", "generate", "chat m")] == [
        (2, "judge_failed"),
        (2, "ZeroDivisionError"),
        (0, ""),
    ]
    assert "what the user asked" not in str(collector.requests)
    assert collector.resource()["service.name"] == "haetae"


def test_the_name_of_the_service_is_the_variable_s(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    spans, _ = open_spans(_env(collector, OTEL_SERVICE_NAME="nightly"))
    assert spans is not None
    with spans.span("run", {}):
        pass
    spans.close(30.0)
    assert collector.resource()["service.name"] == "nightly"


def test_a_share_of_runs_is_traced_where_a_sampler_says_so(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    spans, _ = open_spans(_env(collector))
    assert spans is not None
    with spans.span("run", {}), spans.span("generate", {}):
        pass
    assert spans.close(30.0) is None
    assert collector.requests == []


def test_a_collector_that_refuses_costs_its_spans_and_one_sentence(
    collector: Collector, capfd: pytest.CaptureFixture[str]
) -> None:
    collector.status = 400
    spans, _ = open_spans(_env(collector))
    assert spans is not None
    for _ in range(3):
        with spans.span("generate", {}):
            pass
    assert spans.close(30.0) == "3 of 3 spans were not taken by the collector"
    assert capfd.readouterr() == ("", "")


def test_a_collector_that_hangs_is_waited_for_until_the_deadline(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    collector.release.clear()
    spans, _ = open_spans(_env(collector))
    assert spans is not None
    for _ in range(5_000):  # more than the queue holds
        with spans.span("generate", {}):
            pass
    assert spans.close(0.05) == "5,000 of 5,000 spans were not taken by the collector"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, None),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "the protocol is grpc"),
    ],
)
def test_where_there_are_no_spans_it_is_said_why(env: dict[str, str], said: str | None) -> None:
    spans, note = open_spans(env)
    assert spans is None
    assert note is None if said is None else said in str(note)


def test_a_setting_that_the_sdk_does_not_take_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0")
    spans, note = open_spans({"OTEL_TRACES_EXPORTER": "otlp"})
    assert spans is None
    assert "ValueError: max_export_batch_size must be a positive integer" in str(note)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "-3",
            "SPAN_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer but got -3",
        ),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many", "SPAN_EVENT_COUNT_LIMIT must be a non-negative integer but got many"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-5", "schedule_delay_millis must be positive"),
        ("OTEL_PYTHON_CONTEXT", "nope", "None"),
        ("OTEL_TRACES_SAMPLER", "nope", "None"),
    ],
)
def test_a_variable_that_the_sdk_does_not_take_when_it_loads_costs_one_sentence_at_most(
    variable: str, value: str, said: str
) -> None:
    code = (
        "import os\nfrom haetae.trackers.collector import open_spans\nspans, note = open_spans(os.environ)\n"
        "print(note)\nassert (spans is None) == (note is not None)\nif spans: spans.close(0.0)"
    )
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", variable: value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert done.stdout.count("\n") == 1


def test_without_the_extra_it_is_said_once_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "haetae.trackers.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    spans, note = open_spans({"OTEL_TRACES_EXPORTER": "otlp"})
    assert spans is None
    assert "pip install -e '.[otel]'" in str(note)


def test_nothing_of_it_loads_where_no_collector_is_configured() -> None:
    code = (
        "import sys\nfrom haetae.trackers.collector import open_spans\nimport haetae.workbench.bench\n"
        "assert open_spans({}) == (None, None)\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
