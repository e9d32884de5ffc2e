"""The stages of a pipeline: rankings, indexes, guards."""
