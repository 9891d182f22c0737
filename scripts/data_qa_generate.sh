#!/usr/bin/env bash
# Raw driving logs -> question-answer data. Usage and defaults:
#   bash scripts/data_qa_generate.sh [--data_raw data_raw] [--out data_qa_results]
#     [--datasets NAME ...] [--split NAME ...] [--preset strict|released] [--workers N]
#     [--missing_images drop|keep] [--mapillary_hz HZ] [--backend processes|ray]
#     [--extract_dir DIR]      (--help lists all)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
impromptu="$root/.venv/bin/impromptu"
[ -x "$impromptu" ] || impromptu="$(command -v impromptu)" || {
  echo "error: impromptu is not installed; run 'make setup' in $root first" >&2
  exit 2
}
exec "$impromptu" generate --recipe "$root/data_qa_generate/recipe.yaml" "$@"
