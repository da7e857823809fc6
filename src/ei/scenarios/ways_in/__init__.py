"""Ways in: programs that know nothing of us, by proxy, gateway and `ei run`; and those outside."""
