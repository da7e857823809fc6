"""Pub/sub: 200 subscribers, a node that is killed, one who is stuck, and other brokers beside."""
