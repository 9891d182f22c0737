"""Score a folder of predictions against a folder of true answers (q1, q2, q4, q6, q7, planning).

python scripts/calculate_accuracy.py --gt_folder G --pred_folder P --save_path S.json
    [--protocol strict|released]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["evaluate", *sys.argv[1:]]))
