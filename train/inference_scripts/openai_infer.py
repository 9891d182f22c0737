"""Answer registered samples with what an OpenAI-compatible server runs; `--help` lists flags.

python train/inference_scripts/openai_infer.py --model_name_or_path M --dataset NAME \
    --save_name OUT.jsonl --base_url http://localhost:8000/v1
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["infer", "--engine", "openai", *sys.argv[1:]]))
