"""Answer registered samples with a checkpoint, by sglang; `--help` lists every flag.

python train/inference_scripts/sglang_infer.py --model_name_or_path M --dataset NAME \
    --save_name OUT.jsonl --template qwen2_vl --tensor_parallel_size 1 --data_parallel_size 1
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["infer", "--engine", "sglang", *sys.argv[1:]]))
