"""How good: one room per family of metrics; judge prompts are text files in prompts/."""
