"""Write prompts.md, the page of every prompt, from the code that asks.

python scripts/write_prompts.py [--out prompts.md] [--wording FILE]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["prompts", *sys.argv[1:]]))
