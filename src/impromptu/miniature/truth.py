"""What a perfect teacher would say about a clip of a miniature: its lights, reasons and scenes."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu import clip_table, miniature
from impromptu.clip import Agent
from impromptu.clip_table import ClipTable
from impromptu.miniature import road
from impromptu.miniature.world import World

_SIGHT_M = 70.0
_MIDDLES_RAD = {
    "front": 0.0,
    "front_left": math.radians(55),
    "front_right": math.radians(-55),
    "side_left": math.radians(100),
    "side_right": math.radians(-100),
    "back_left": math.radians(115),
    "back_right": math.radians(-115),
    "back": math.pi,
}
"""Where a view looks; what is none of these is taken for the front."""
_HALF_VIEW_RAD = math.radians(35)
_SKIES = {
    "clear": "The weather is clear and it is broad daylight",
    "overcast": "The sky is overcast and the light is even",
    "evening": "It is evening and the sun stands low",
}
_DOES = {
    "KEEP": "keeps its speed",
    "ACCELERATE": "speeds up",
    "DECELERATE": "slows down",
    "STOP": "stands still",
}


@dataclass(frozen=True, slots=True)
class Truth:
    """One clip.

    Attributes:
        light: What the light that holds for the ego shows: Red, Yellow, Green or None.
        speed_word: What the ego does next; None where it is not known.
        weather: Of the drive.
        agents: Around it, in its own frame.
    """

    light: str
    speed_word: str | None
    weather: str
    agents: Sequence[Agent]

    def answer(self, task: str, view: str = "front", wording: int = 0) -> str:
        """Answer q3, q4 or q5.

        Args:
            task: Which.
            view: Of q5, as sample ids name it.
            wording: 0 or 1; the same reason in another order, a description without the street.
        """
        if task == "q4":
            return self.light
        return self._reason(wording) if task == "q3" else self._scene(view, wording)

    def _reason(self, wording: int) -> str:
        does = _DOES.get(self.speed_word or "", "drives on")
        ahead = self._seen(0.0, math.radians(8), 30.0)
        if self.light in ("Red", "Yellow"):
            why = f"the traffic light ahead of it is {self.light.lower()}"
        elif ahead:
            gap_m = round(float(np.hypot(*ahead[0].center_m[:2])))
            why = f"there is a {ahead[0].kind} about {gap_m} meters ahead of it"
        else:
            why = "the road ahead of it is free and nobody is about to cross"
        return (
            f"Our car {does} because {why}."
            if not wording
            else f"The reason is that {why}, so our car {does}."
        )

    def _scene(self, view: str, wording: int) -> str:
        seen = self._seen(_MIDDLES_RAD.get(view, 0.0), _HALF_VIEW_RAD, _SIGHT_M)
        counts = Counter(agent.kind for agent in seen)
        who = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(counts.items()))
        street = "The street has two lanes in each direction, with pavements and houses beside it"
        others = f"There are other road users in view: {who}" if seen else "Nobody else is in view"
        near = (
            f", and the nearest is {round(float(np.hypot(*seen[0].center_m[:2])))} meters away"
            if seen
            else ", and nothing asks for special care"
        )
        about = [_SKIES[self.weather], *([] if wording else [street])]
        return ". ".join([*about, f"{others}{near}."])

    def _seen(self, middle_rad: float, half_rad: float, reach_m: float) -> list[Agent]:
        """Return the agents in a sector, the nearest first."""
        found = []
        for agent in self.agents:
            x_m, y_m = agent.center_m[:2].tolist()
            off_rad = math.remainder(math.atan2(y_m, x_m) - middle_rad, math.tau)
            if abs(off_rad) <= half_rad and math.hypot(x_m, y_m) <= reach_m:
                found.append(agent)
        return sorted(found, key=lambda agent: float(np.hypot(*agent.center_m[:2])))


def truths(samples_dir: Path, seed: int = 0) -> dict[str, Truth]:
    """Return the truth of every clip that was generated from miniatures, by its id.

    Args:
        samples_dir: What generation wrote.
        seed: Of the miniatures.

    Raises:
        FileNotFoundError: There is no clip table.
    """
    tables = [clip_table.read(path) for path in sorted((samples_dir / "clips").glob("*.parquet"))]
    if not tables:
        raise FileNotFoundError(f"{samples_dir}/clips: no clip tables; generate the samples first")
    found = dict[str, Truth]()
    for name in sorted({Path(table.source).stem.rpartition("_")[0] for table in tables}):
        drives = (
            rows
            for table in sorted(tables, key=_first_split_first)
            if Path(table.source).stem.rpartition("_")[0] == name
            for rows in _logs(table)
        )
        for index, (table, rows) in enumerate(drives):
            world, weather = miniature.scene(name, seed, index)
            found |= dict(_clips(table, rows, world, weather))
    return found


def _first_split_first(table: ClipTable) -> bool:
    return not table.source.endswith("_train.parquet")


def _logs(table: ClipTable) -> Iterator[tuple[ClipTable, list[int]]]:
    """Yield the rows of each log in the order of their drives: by time, or where none is, name."""
    logs = dict[str, list[int]]()
    for row, log in enumerate(table.logs):
        logs.setdefault(log, []).append(row)
    yield from (
        (table, rows)
        for _, rows in sorted(logs.items(), key=lambda one: (_begin_ns(table, one[1]), one[0]))
    )


def _begin_ns(table: ClipTable, rows: Sequence[int]) -> int:
    return int(table.timestamps_ns[rows].min())


def _clips(
    table: ClipTable, rows: Sequence[int], world: World, weather: str
) -> Iterator[tuple[str, Truth]]:
    t_s = (table.timestamps_ns[rows] - _begin_ns(table, rows)) / 1e9
    x_m = world.ego_poses(t_s)[1][:, 0]
    for row, at_s, at_m in zip(rows, t_s.tolist(), x_m.tolist(), strict=True):
        light = world.lights.colours(at_s)[0].title()
        holds = -_SIGHT_M < at_m < -road.MAIN_STOP_M
        speed_word = table.speed_words[row]
        yield (
            table.ids[row],
            Truth(light if holds else "None", speed_word, weather, table.agents(row)),
        )
