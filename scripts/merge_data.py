"""All datasets' question files as one registered file: data/jsons/train/train.json.

python scripts/merge_data.py --data_root ./data --split train --output_dir jsons [--workers N]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["merge-data", *sys.argv[1:]]))
