"""The rules of training: pure functions and values."""
