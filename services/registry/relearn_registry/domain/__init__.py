"""What the registry decides, free of IO, clocks and randomness."""
