"""Answers that rest on retrieved passages, judged by a model; and ragas beside it."""
