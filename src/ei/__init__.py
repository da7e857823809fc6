"""Extensible Internet: a service layer, L3.5, between the Internet and its applications."""
