"""The bridge to Hugging Face evaluate, both ways."""
