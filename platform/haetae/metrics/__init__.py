"""How good: one file per family of metrics; judge prompts are text files in prompts/."""
