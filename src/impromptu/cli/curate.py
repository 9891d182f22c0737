"""Find unstructured scenes among many keyframes, and choose the clips to keep."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from impromptu.asking import Outcome, Spending
from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1, require_key
from impromptu.curation import funnel, grouping, running, to_review
from impromptu.curation.choosing import FATES, KEPT, choose
from impromptu.curation.recipe import CurationRecipe, load_recipe
from impromptu.curation.stages import STAGES
from impromptu.engines import Settings
from impromptu.files import require_writable, write_json

CATEGORIES = "categories.json"
_ASKING = tuple(stage.name for stage in STAGES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add(
        "--samples",
        type=Path,
        metavar="DIR",
        help="what `impromptu generate --questions q4` wrote: all keyframes and front images",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="answers, fates and clips go here")
    add("--recipe", type=Path, metavar="FILE", help="thresholds, YAML [the defaults]")
    add(
        "--stages",
        nargs="+",
        choices=(*_ASKING, "select"),
        default=(*_ASKING, "select"),
        metavar="NAME",
        help=f"of {', '.join(_ASKING)}, select; those that ask need a server [all]",
    )
    add("--base_url", default="", metavar="URL", help="OpenAI-compatible, http://host:port/v1")
    add("--model", default="", metavar="NAME", help="the teacher, as the server calls it")
    add(
        "--api_key_env",
        metavar="NAME",
        help=f"environment variable that holds the key [{Settings().api_key_env}, if it is set]",
    )
    add("--concurrency", type=int, default=32, metavar="N", help="requests under way at once")
    add("--budget_tokens", type=int, metavar="N", help="stop asking when so many are used [none]")
    add(
        "--embedding_model",
        metavar="NAME",
        help="group proposed categories by this model of the same server [by their letters]",
    )


def run(args: argparse.Namespace) -> int:
    """Ask, select, tell; return 1 where the budget ended it."""
    require_at_least_1(args, "concurrency", "budget_tokens")
    recipe = load_recipe(args.recipe)
    require_writable(args.out)
    chosen = [stage for stage in STAGES if stage.name in args.stages]
    made: dict[str, Any] = {"recipe": asdict(recipe)}
    if chosen:
        if args.samples is None:
            raise ValueError("--samples: expected the folder whose keyframes are asked about")
        if not _ask(args, recipe, chosen, made):
            return 1
    if "select" in args.stages:
        told = choose(args.samples, args.out, recipe, made)
        print(funnel.markdown(told["steps"], told["kept"]))
        if args.samples:
            _draw(args.samples, args.out, recipe)
        print(f"clips: {args.out / KEPT}; what became of every keyframe: {args.out / FATES}")
    return 0


def _ask(
    args: argparse.Namespace, recipe: CurationRecipe, chosen: Sequence[Any], made: dict[str, Any]
) -> bool:
    """Ask the chosen stages; tell whether all was asked."""
    require_key(args.api_key_env)
    settings = Settings(
        model=args.model,
        base_url=args.base_url,
        api_key_env=args.api_key_env or Settings().api_key_env,
        concurrency=args.concurrency,
    )
    left = args.budget_tokens
    with running.open_curation(args.samples, args.out, recipe, settings) as curation:
        for stage in chosen:
            outcome = running.ask(curation, stage, Spending(budget_tokens=left))
            _tell(stage.name, outcome, len(curation.stores[stage.name]))
            if outcome.unasked:
                print("the budget is used up; run the same command again to go on")
                return False
            left = left and max(left - outcome.tokens_in - outcome.tokens_out, 1)
        running.write_labels(curation)
        made["teacher"] = {"base_url": args.base_url, "model": args.model}
        made["lost"] = {
            f"{state}: {reason}": many for (state, reason), many in sorted(curation.lost.items())
        }
        if any(stage.name == "propose" for stage in chosen):
            _group(args, recipe, running.proposals(curation), settings)
    return True


def _tell(name: str, outcome: Outcome, answers: int) -> None:
    used = outcome.tokens_in + outcome.tokens_out
    print(f"{name}: {answers:,} answers, {outcome.accepted:,} of them new")
    for reason, many in outcome.rejected.most_common():
        print(f"  {many:,} replies of no use, {reason}: {outcome.problems[reason]:.160}")
    if outcome.elsewhere:
        print(f"  {outcome.elsewhere:,} being asked by another run; what ends last has all")
    if used:
        print(f"  {used:,} tokens")


def _group(
    args: argparse.Namespace, recipe: CurationRecipe, proposed: Any, settings: Settings
) -> None:
    name = args.embedding_model
    vectors = (lambda texts: running.embed(settings, name, texts)) if name else None
    groups = grouping.groups(proposed, recipe.group_share, vectors)
    by = name or "letters"
    write_json(args.out / CATEGORIES, {"by": by, "share": recipe.group_share, "groups": groups})
    print(f"categories: {len(groups)} groups, {args.out / CATEGORIES}")
    for group in groups[:5]:
        print(f"  {group['count']:,} {group['name']}")


def _draw(samples: Path, out: Path, recipe: CurationRecipe) -> None:
    path = out / to_review.PLACE
    many = to_review.write(path, [out / running.LABELS], recipe, samples)
    print(f"{many:,} labels for people to check: impromptu review --dir {path.parent}")


COMMAND = Command("choose clips of unstructured scenes, with a teacher's help", add_arguments, run)
