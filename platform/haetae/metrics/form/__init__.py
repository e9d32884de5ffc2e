"""The form of an answer, no model asked: what it contains, patterns, JSON, numbers, length."""
