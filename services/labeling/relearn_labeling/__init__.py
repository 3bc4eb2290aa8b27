"""Labeling: the queue of human work, and what makes an answer trustworthy."""
