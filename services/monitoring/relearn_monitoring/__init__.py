"""Monitoring: watches every prediction, says what moved, buys the labels that settle it."""
