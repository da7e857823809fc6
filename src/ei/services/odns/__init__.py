"""Oblivious DNS: who asks is known at one node, what is asked at another, of another operator."""
