"""What a gate said, as the texts that continuous integration shows: JUnit, Markdown, annotations."""
