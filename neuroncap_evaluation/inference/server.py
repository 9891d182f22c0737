"""Answer NeuroNCAP's engine with what a model behind an OpenAI-compatible server plans.

python neuroncap_evaluation/inference/server.py --base_url http://localhost:8000/v1 --model NAME
    --port 9000 [--views front|front3] [--on_unreadable fail|hold_last|constant_velocity|brake]
    [--engine openai|echo_route|constant_velocity|stop]; `--help` lists every flag
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["ncap-server", *sys.argv[1:]]))
