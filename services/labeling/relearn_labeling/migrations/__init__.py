"""Migrations of labeling's database, run at start."""
