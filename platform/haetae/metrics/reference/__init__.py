"""Against a reference answer: exact match and token F1, n-gram overlap, edits; the tokenizers they cut with."""
