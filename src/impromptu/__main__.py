"""``python -m impromptu``: the command line."""

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
