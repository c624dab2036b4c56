"""`python -m classify`: all commands, as `framehead` has them."""

from classify.cli import framehead

if __name__ == "__main__":
    framehead.main(prog_name="python -m classify")
