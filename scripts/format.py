"""Question files as training wants them: image marks counted, answers in their tags, in place.

python scripts/format.py --data_root ./data --split train [--invalid keep|drop] [--workers N]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["format", *sys.argv[1:]]))
