"""Haetae tells a real regression from noise."""
