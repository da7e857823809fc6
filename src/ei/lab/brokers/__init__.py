"""Other brokers of messages beside ours: their programs, and clients as cheap as can be."""
