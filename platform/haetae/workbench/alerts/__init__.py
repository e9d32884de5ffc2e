"""People are told of what changed of a suite, once for each change."""
