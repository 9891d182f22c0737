import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair
from impromptu.clip import Clip, Trajectory
from impromptu.conversation import Sample
from impromptu.datasets.synthetic import DATASET
from impromptu.evaluation import evaluate
from impromptu.files import write_json_list
from impromptu.preset import STRICT
from impromptu.questions.trajectory import QUESTION
from impromptu.report import Run, Scene
from impromptu.wording import load_wording

HOSTILE = "Turn <script>alert('left')</script> | then `stop`"
WORDING = load_wording(None, STRICT)


def answer(xy_m: Any) -> str:
    return QUESTION.write(Trajectory(0.5 * np.arange(1, len(xy_m) + 1), xy_m), WORDING)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """The middle of a made-up left arc, with an image for every clip."""
    image = tmp_path / "front.png"
    Image.new("RGB", (800, 450), "grey").save(image)
    log = DATASET.logs(tmp_path, tmp_path)[1]
    found = [clip for clip in DATASET.clips(log) if isinstance(clip, Clip)][3:9]
    return [
        replace(
            clip,
            observation=replace(
                clip.observation,
                cameras=(replace(clip.observation.cameras[0], image=image),),
            ),
        )
        for clip in found
    ]


@pytest.fixture
def samples(clips: Sequence[Clip]) -> list[Sample]:
    return [
        Sample(
            f"{clip.id}/q7",
            ("front.png",),
            QUESTION.prompt(clip.observation, WORDING),
            answer(clip.future.xy_m),
        )
        for clip in clips
    ]


@pytest.fixture
def make_run(samples: Sequence[Sample], tmp_path: Path) -> Callable[[str, Mapping[str, str]], Run]:
    """Write answers down and have them scored by the evaluator itself."""

    def make(name: str, predictions: Mapping[str, str]) -> Run:
        truth, given = tmp_path / "samples" / "q7_val.json", tmp_path / f"{name}.jsonl"
        write_json_list(truth, [sample.to_sharegpt() for sample in samples])
        lines = [json.dumps({"id": key, "predict": text}) for key, text in predictions.items()]
        given.write_text("\n".join(lines), encoding="utf-8")
        return Run(name, f"What {name} is.", [evaluate(join(Pair("q7", truth, given)))])

    return make


@pytest.fixture
def runs(
    make_run: Callable[[str, Mapping[str, str]], Run],
    samples: Sequence[Sample],
    clips: Sequence[Clip],
) -> list[Run]:
    """``echo`` is right; ``short`` is i metres short at the i-th sample, mute once, gone once."""
    echo = {sample.id: sample.answer for sample in samples}
    short = {
        sample.id: answer(clip.future.xy_m - [index, 0])
        for index, (sample, clip) in enumerate(zip(samples, clips, strict=True))
    }
    short[samples[2].id] = HOSTILE
    del short[samples[5].id]
    return [make_run("short", short), make_run("echo", echo)]


@pytest.fixture
def scenes(samples: Sequence[Sample], clips: Sequence[Clip]) -> list[Scene]:
    return [Scene(samples[k], clips[k], f"reason {k}") for k in (1, 2)]


@pytest.fixture
def manifest() -> dict[str, Any]:
    return {
        "recipe": {"preset": "strict", "missing_images": "drop"},
        "versions": {"impromptu-vla": "0.1.0"},
        "datasets": {
            "kitti": {
                "train": {
                    "logs": 3,
                    "logs_failed": {"0007": "oxts/0007.txt: row 3: expected 30 columns, got 29"},
                    "clips": 61,
                    "keyframes_dropped": {"no_pose": 2, "gap": 5},
                    "questions": {
                        "q7": {
                            "asked": 61,
                            "samples": 41,
                            "dropped": {"past_under_1.5s": 6, "future_under_5s": 14},
                        }
                    },
                }
            }
        },
    }
