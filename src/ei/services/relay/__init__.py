"""Who asks and what is asked for are known to nodes of two operators, and to neither both."""
