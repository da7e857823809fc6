"""How fast, and how we know: one file per figure, each with its baseline in the same run."""
