"""The relay between two operators: what each knows, how fast it is, and what stops misuse."""
