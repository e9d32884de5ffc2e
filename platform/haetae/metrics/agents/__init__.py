"""What an agent did: its tool calls, its way, its steps."""
