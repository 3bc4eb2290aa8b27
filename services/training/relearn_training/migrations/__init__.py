"""Migrations of training's database, run at start."""
