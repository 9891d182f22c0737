"""Answer registered samples with a checkpoint; `--help` lists every flag.

python train/inference_scripts/transformers_infer.py --model_name_or_path M --dataset NAME \
    --dataset_dir data --template qwen2_vl --save_name OUT.jsonl
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["infer", "--engine", "transformers", *sys.argv[1:]]))
