"""A metric of one's own: a function with type hints."""
