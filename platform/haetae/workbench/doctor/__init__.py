"""What `haetae doctor` looks at: one file for each thing, each with what it found and what to do about it."""
