"""Pure numbers: estimates with intervals, paired comparisons, verdicts. numpy and scipy, no I/O."""
