"""The `relearn` command: a thin layer over `Relearn` for a person at a terminal, or a script with `--json`."""
