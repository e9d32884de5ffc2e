"""Names become things: suite, dataset, prompt and model files, and plugins by entry point."""
