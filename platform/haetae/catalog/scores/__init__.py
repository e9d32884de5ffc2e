"""Score files of any tool: who wrote one is seen by what stands in it, and all become columns."""
