"""Relearn's door for browsers."""
