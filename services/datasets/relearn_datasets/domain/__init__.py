"""The rules of the memory; pure: no IO, no clock, no randomness."""
