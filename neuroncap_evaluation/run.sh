#!/usr/bin/env bash
# NeuroNCAP's evaluation with one command. Usage and defaults:
#   bash neuroncap_evaluation/run.sh [--set key=value ...]      (config.yaml has all keys)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
impromptu="$root/.venv/bin/impromptu"
[ -x "$impromptu" ] || impromptu="$(command -v impromptu)" || {
  echo "error: impromptu is not installed; run 'make setup' in $root first" >&2
  exit 2
}
exec "$impromptu" ncap run --config "$root/neuroncap_evaluation/config.yaml" "$@"
