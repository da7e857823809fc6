"""Oblivious DNS: programs as they are ask by two operators, neither of whom knows both."""
