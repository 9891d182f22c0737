"""Released shards, tar files or unpacked, as question files: data/train/<dataset>/q{n}.json.

python scripts/data_organize.py --data_root ./ImpromptuData --split train
    [--out data] [--workers N]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["data-organize", *sys.argv[1:]]))
