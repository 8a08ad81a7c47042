"""Judging networks and what they made."""
