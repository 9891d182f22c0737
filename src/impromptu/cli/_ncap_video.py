"""``impromptu ncap video``: models side by side in the same scenario, and a page of it."""

import argparse
from pathlib import Path

from impromptu.cli import Command
from impromptu.closed_loop import gallery, table
from impromptu.closed_loop.film import EVERY_MS, LAST_MS, Film
from impromptu.closed_loop.gallery import Choice, Shelf, Shown
from impromptu.files import atomic_bytes, require_writable
from impromptu.moving_pictures import library, write_gif, write_mp4
from impromptu.progress import track


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUNS", help="a folder of runs for each model")
    add("--out", type=Path, required=True, metavar="DIR", help="for films and index.html")
    add("--scenarios", nargs="+", default=["all"], metavar="NAME", help="or a category [all]")
    add("--run", type=int, metavar="N", help="which to show [the first that all have finished]")
    add("--form", choices=("gif", "mp4"), default="gif", help="mp4 needs the extra video")
    add("--v_ref", choices=tuple(table.V_REFS), default="fixed", help="of the scores in captions")


def run(args: argparse.Namespace) -> int:
    """Film what all models have finished, and say what is left out; 1 if nothing is shown."""
    if args.form == "mp4":
        library()
    models = gallery.shelves(args.runs, args.v_ref)
    chosen = gallery.choices(models, args.scenarios, args.run)
    require_writable(args.out)
    shown, left_out = list[Shown](), dict[str, str]()
    for choice in track(chosen, len(chosen), "scenarios", "video"):
        made = _filmed(args, models, choice)
        if isinstance(made, Shown):
            shown.append(made)
        else:
            left_out[choice.scenario] = made
    page = gallery.write_page(args.out, models, shown, left_out)
    print(f"{page}: {len(chosen)} scenarios asked: {len(shown)} shown, {len(left_out)} left out")
    for scenario, why in left_out.items():
        print(f"  {scenario}: {why}")
    return int(not shown)


def _filmed(args: argparse.Namespace, models: list[Shelf], choice: Choice) -> Shown | str:
    takes = gallery.take_together(models, choice)
    if isinstance(takes, str):
        return takes
    film, stem = Film(takes), f"{choice.scenario}-run_{choice.run}"
    moving, still = args.out / f"{stem}.{args.form}", args.out / f"{stem}.png"
    if args.form == "gif":
        write_gif(moving, film.frames(), film.palette(), EVERY_MS, LAST_MS)
    else:
        write_mp4(moving, film.frames(), EVERY_MS, LAST_MS)
    with atomic_bytes(still) as file:
        film.last().save(file, format="PNG", optimize=True)
    return Shown(takes, film.size_px, moving.name, still.name)


PART = Command("films of models side by side, and a page that shows them", add_arguments, run)
