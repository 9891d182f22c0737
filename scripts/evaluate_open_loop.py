"""Score nuScenes planning predictions: L2 (ST-P3 and UniAD conventions), ADE, FDE.

python scripts/evaluate_open_loop.py --gt nuscenes_test.json --pred P.jsonl --out S.json
    [--per_sample FILE]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["evaluate", "--task", "planning", *sys.argv[1:]]))
