"""Whether a collector of spans is configured, by OpenTelemetry's own variables; its libraries load only then."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import version

from haetae.core.secrets import redact
from haetae.core.spans import Spans
from haetae.errors import MissingExtra

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


def open_spans(env: Mapping[str, str]) -> tuple[Spans | None, str | None]:
    """The spans, None where no collector is configured; and why there are none although one is, for people.

    A run that cannot be traced is a run all the same: nothing is raised.
    """
    wanted = {name.strip() for name in env.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    configured = "otlp" in wanted or (not wanted and any(env.get(name) for name in _ENDPOINTS))
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or wanted == {"none"}:
        return None, None
    if not configured:
        others = ", ".join(sorted(wanted))
        return None, f"no spans: OTEL_TRACES_EXPORTER is {others}; haetae knows otlp and none" if wanted else None
    protocol = next((env[name] for name in _PROTOCOLS if env.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        return (
            None,
            f"no spans: the protocol is {protocol}; haetae speaks {_SPOKEN}, which collectors take on port 4318",
        )
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # not to standard error, batch by batch
    try:
        from haetae.trackers.otel import OtelSpans

        return OtelSpans(env, version("haetae")), None
    except ModuleNotFoundError as exc:
        return (
            None,
            f"no spans, although a collector is configured: {MissingExtra(exc.name or 'opentelemetry', 'otel')}",
        )
    except Exception as exc:  # a value of an OTEL_ variable that the SDK does not take, when it loads or when it begins
        return None, redact(
            f"no spans, because OpenTelemetry takes not all OTEL_ variables: {type(exc).__name__}: {exc}"
        )
