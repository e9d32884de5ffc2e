"""How far a judge can be trusted: human labels, correction, agreement."""
