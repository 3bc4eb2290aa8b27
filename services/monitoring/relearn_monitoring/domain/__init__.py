"""The rules of monitoring: pure statistics and pure decisions, by concept."""
