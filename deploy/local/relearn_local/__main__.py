"""`python -m relearn_local up`: the same commands without the `relearn` command line."""

from relearn_local.commands import app

if __name__ == "__main__":
    app(prog_name="relearn")
