"""Why something has no value: the closed list of reasons a Failure or an unscored Score may give.

A reason answers "whose fault": `RETRIED` reasons are the weather (asking again may help, and a run
that is continued asks again); the others are facts about the answer and stay.
"""

from __future__ import annotations

# the endpoint
TIMEOUT = "timeout"
CONNECTION = "connection_failed"
RATE_LIMITED = "rate_limited"
SERVER_ERROR = "server_error"
MALFORMED = "malformed_response"
REJECTED = "request_rejected"
TOO_LONG = "context_too_long"
NO_LOGPROBS = "no_logprobs"
"""It does not tell how probable a text is, or tells what cannot be true."""
# the answer
CONTENT_FILTER = "content_filter"
TRUNCATED = "truncated"
EMPTY = "empty_answer"
NO_OUTPUT = "no_recorded_output"
TARGET_RAISED = "target_raised"
# the sample
MISSING_REFERENCE = "missing_reference"
MISSING_CONTEXT = "missing_context"
MISSING_EXPECTED = "missing_expected"
"""The sample does not say what should be: which calls, which passages, which label."""
UNREADABLE_IMAGE = "unreadable_image"
"""A picture of the sample is gone, or is not the one that was checked."""
# the metric
NOT_GENERATED = "not_generated"
NOT_FINITE = "not_finite"
OUT_OF_RANGE = "out_of_range"
METRIC_RAISED = "metric_raised"
NOT_MEASURED = "not_measured"
NO_PRICE = "unknown_price"
UNSUPPORTED_LANGUAGE = "unsupported_language"
AMBIGUOUS = "ambiguous_answer"
TOO_SHORT = "too_short"
"""One token, and nothing before it that could make it more or less probable."""
TEXT_TOO_LONG = "text_too_long"
"""The metric's work grows faster than the text, and on this one it would not end in seconds."""
# the judge
JUDGE_UNPARSEABLE = "judge_parse_failure"
JUDGE_REFUSED = "judge_refusal"
JUDGE_TRUNCATED = "judge_truncated"
"""It reached its token limit: give the metric a larger max_tokens."""
JUDGE_FAILED = "judge_failed"
NO_CLAIMS = "no_claims"

RETRIED = frozenset({TIMEOUT, CONNECTION, RATE_LIMITED, SERVER_ERROR, MALFORMED, JUDGE_FAILED})
"""Reasons that a continued run asks again about."""

JUDGE_FAULTS = frozenset({JUDGE_UNPARSEABLE, JUDGE_REFUSED, JUDGE_TRUNCATED, JUDGE_FAILED})
"""Reasons that are the judge's, counted against the gate's limit of judge failures."""
