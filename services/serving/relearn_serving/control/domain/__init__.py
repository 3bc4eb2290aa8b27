"""What control decides, without knowing where it is kept or who asked."""
