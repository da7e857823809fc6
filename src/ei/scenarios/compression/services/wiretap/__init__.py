"""Shows what crosses the pipe between two nodes, and puts there what should not."""
