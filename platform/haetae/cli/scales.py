"""The options that declare the scale of scores in plain files."""

from __future__ import annotations

import math

import click

Bounds = tuple[float | None, float | None]

_WIDEST = 1e100
"""Far beyond any score, and its square is still a number."""


def scale_of(text: str) -> tuple[str, Bounds]:
    """METRIC=LOW:HIGH, an end left out where there is none."""
    metric, _, ends = text.rpartition("=")
    low, colon, high = ends.partition(":")
    try:
        bounds = (float(low) if low else None, float(high) if high else None)
    except ValueError:
        colon = ""
    if not metric or not colon:
        raise click.BadParameter(f"{text!r} is not METRIC=LOW:HIGH, as in quality=1:5 or latency_s=0:")
    if fault := scale_fault(bounds):
        raise click.BadParameter(f"{text!r}: {fault}")
    return metric, bounds


def scale_fault(bounds: Bounds) -> str | None:
    """Why two ends are no scale, or None."""
    if any(end is not None and not math.isfinite(end) for end in bounds):
        return "an end is a finite number, or left out"
    low, high = bounds
    if low is None or high is None:
        return None
    if low >= high:
        return "the scale runs from low to high"
    return None if high - low <= _WIDEST else f"the scale is at most {_WIDEST:g} wide"


scale_option = click.option(
    "--scale", type=float, nargs=2, metavar="LOW HIGH", help="The scale of the scores in files. Default 0 1."
)
scale_of_option = click.option(
    "--scale-of", type=scale_of, multiple=True, metavar="METRIC=LOW:HIGH", help="One metric's scale in files."
)
