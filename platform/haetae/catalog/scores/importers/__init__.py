"""Files of scores that other tools wrote: one file a tool, none of the tools imported."""
