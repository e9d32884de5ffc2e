"""The reference of all metrics as one Markdown document: docs/metrics.md is what this makes."""

from __future__ import annotations

from collections.abc import Iterable

from haetae.workbench.metric_pages import MetricPage

_HEAD = """\
# Metrics

What a suite can name under `metrics`; [suites.md](suites.md) shows a whole suite. `haetae metrics` lists them,
`haetae metrics NAME` shows one. This page is made from their code: `haetae metrics --markdown > docs/metrics.md`.

A metric says of each sample a number in its range, or why there is none: a sample without what the metric needs is
unscored, never 0. Where a metric compares with references, rows without one are refused before the run, or left out
with `haetae run --skip-bad`. Every number is known by the metric's canonical text, its version and its signature
(tokenizer, library, judge, prompt), so that numbers made differently are not compared.

Parameters stand beside the kind and its value, `{ rouge: L, tokenizer: korean }`; where it has no value of its own,
beside `true`, `{ json_valid: true, fenced: true }`. Those that are not given have the default shown; those without one
must be given. A `model` that is not given is the suite's `judge`, in every metric that asks one, and
`embeddings` its `embeddings`.

모든 지표의 이름, 범위, 방향, 필요한 것, 매개변수입니다. 이 문서는 코드에서 만들어집니다.
각 지표 아래 첫 줄은 한국어 요약입니다.
"""


def reference(pages: Iterable[MetricPage]) -> str:
    """The document."""
    shown = list(pages)
    rows = [f"| [`{page.name}`](#{page.name}) | {_cell(page.korean or '')} |" for page in shown]
    contents = "\n".join(["| metric | 한국어 |", "|---|---|", *rows])
    return "\n".join([_HEAD, contents, "", *map(_section, shown)])


def _section(page: MetricPage) -> str:
    facts = [] if page.facts is None else [f"`{page.facts.text}`"]
    said = " · ".join([*facts, *page.said])
    example = f"```yaml\n{page.written}\n```"
    given = f"With a parameter: `{page.with_parameters}`." if page.with_parameters else ""
    parts = [f"## {page.name}", page.korean or "", page.doc, example, given, said, *page.extras, _parameters(page)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _parameters(page: MetricPage) -> str:
    if not page.parameters:
        return ""
    rows = [
        f"| `{name}` | {_cell(takes)} | {f'`{_cell(default)}`' if default else ''} |"
        for name, takes, default in page.parameters
    ]
    return "\n".join(["| parameter | takes | default |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
