"""The embedded default: an OpenAI-compatible server on loopback, and a month of nightly runs."""
