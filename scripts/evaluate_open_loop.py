"""Score nuScenes planning predictions: L2, ADE, FDE, collisions, each by its named conventions.

python scripts/evaluate_open_loop.py --gt nuscenes_test.json --pred P.jsonl --out S.json
    [--clips FILE.parquet] [--per_sample FILE] [--resamples N] [--seed N]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["evaluate", "--task", "planning", *sys.argv[1:]]))
