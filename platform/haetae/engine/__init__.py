"""The straight path: generate, score, commit, each sample once. Knows ports, no adapter."""
