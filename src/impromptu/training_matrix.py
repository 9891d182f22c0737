"""Writes the YAML of every training run, and of every merge, from one small table."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Base:
    """A model to start from.

    Attributes:
        folder: Under ``train/``.
        size: As file names begin.
        hub_name: Its weights.
        template: LLaMA-Factory's name for the way its prompts are wrapped.
    """

    folder: str
    size: str
    hub_name: str
    template: str

    @property
    def saves(self) -> str:
        """The folder of everything that is trained from it."""
        return f"saves/{self.folder.lower().replace('-', '_')}-{self.size.lower()}"


@dataclass(frozen=True, slots=True)
class Stage:
    """What a model is trained on, and after what.

    Attributes:
        folder: Under the model's.
        title: As the paper's tables name the result.
        saved: Name of the result in the model's folder of results.
        dataset_dir: Where its registry is.
        datasets: Names in it.
        after: Name of what it starts from in the model's folder of results; none for the published
            weights.
        methods: How it is trained.
        only: ``folder`` of the one family of models it is for; empty for all.
    """

    folder: str
    title: str
    saved: str
    dataset_dir: str
    datasets: tuple[str, ...]
    after: str = ""
    methods: tuple[str, ...] = ("full", "lora")
    only: str = ""


BASES = (
    Base("Qwen2_5-VL", "3B", "Qwen/Qwen2.5-VL-3B-Instruct", "qwen2_vl"),
    Base("Qwen2_5-VL", "7B", "Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_vl"),
    # The instruction-tuned one does not think aloud, so its answers have no such block before them.
    Base("Qwen3-VL", "4B", "Qwen/Qwen3-VL-4B-Instruct", "qwen3_vl_nothink"),
)

_TASKS = {
    "argoverse2": ("q1", "q2", "q6", "q7"),
    "idd": ("q6", "q7"),
    "kitti": ("q1", "q2", "q6", "q7"),
    "navsim": ("q1", "q2", "q6", "q7"),
    "nuscenes": ("q1", "q2", "q6", "q7"),
    "once": ("q1", "q6", "q7"),
    "waymo": ("q1", "q2", "q6", "q7"),
}
IMPROMPTU = tuple(f"{dataset}_{task}_train" for dataset, tasks in _TASKS.items() for task in tasks)
"""What ``scripts/data_qa_generate.sh`` registers of the train splits, all its defaults kept."""

_NUSCENES = ("nuscenes_train",)
STAGES = (
    Stage("QA_train", "Base+Impromptu", "impromptu", "data_qa_results", IMPROMPTU),
    Stage("QA_train_sub_fin_nu", "Base+nuScenes", "nuscenes", "data", _NUSCENES),
    Stage(
        "QA_train_AD_fin_nu",
        "Base+Impromptu+nuScenes",
        "impromptu_nuscenes",
        "data",
        _NUSCENES,
        after="impromptu",
    ),
    # New tokens have rows of the embedding to learn, which an adapter does not.
    Stage(
        "QA_train_actions",
        "Base+nuScenes in action tokens (docs/actions.md)",
        "nuscenes_actions",
        "data_qa_actions",
        ("nuscenes_planning_train",),
        after="actions",
        methods=("full",),
        only="Qwen2_5-VL",
    ),
)

_HEAD = """\
# {command} {path}
# {what}
# Start from the repository root. Written by `impromptu train-yamls`; on the command line, KEY=VALUE
# after the file replaces a line of it.
"""

_MODEL = """
### model
model_name_or_path: {model}
image_max_pixels: 262144
"""

_FULL = """
### method
stage: sft
do_train: true
finetuning_type: full
# LLaMA-Factory's defaults, under which the published models were trained.
freeze_vision_tower: true
freeze_multi_modal_projector: true
freeze_language_model: false
deepspeed: train/deepspeed/ds_z3_config.json
"""

_LORA = """
### method
stage: sft
do_train: true
finetuning_type: lora
lora_target: all
lora_rank: 8
lora_alpha: 16
# Adapters for the language model alone, as full tuning trains it alone.
freeze_vision_tower: true
freeze_multi_modal_projector: true
freeze_language_model: false
deepspeed: train/deepspeed/ds_z2_config.json
"""

_DATA = """
### data
dataset: {datasets}
dataset_dir: {dataset_dir}
template: {template}
cutoff_len: 4096
overwrite_cache: true
preprocessing_num_workers: 32
# Images are opened and scaled while the GPU works; the published recipe has it wait.
dataloader_num_workers: 4
"""

_OUTPUT = """
### output
output_dir: {out}
logging_steps: 10
save_steps: 1000
plot_loss: true
overwrite_output_dir: false
report_to: none
"""

_TRAINING = """
### training
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: {learning_rate}
lr_scheduler_type: cosine
warmup_ratio: 0.03
num_train_epochs: 2.0
bf16: true
seed: 42
ddp_timeout: 180000000
"""

_PUBLISHED = """
### model
model_name_or_path: {model}
# image_resolution and video_resolution then; the present parser refuses these names.
image_max_pixels: 262144
video_max_pixels: 16384

### method
stage: sft
do_train: true
finetuning_type: full
# Not in the published file: LLaMA-Factory's defaults, then and now, which decided unseen.
freeze_vision_tower: true
freeze_multi_modal_projector: true
freeze_language_model: false
deepspeed: train/deepspeed/ds_z3_config.json

### data
dataset: {datasets}
dataset_dir: {dataset_dir}
template: {template}
cutoff_len: 4096
overwrite_cache: true
preprocessing_num_workers: 32

### output
output_dir: {out}
logging_steps: 10
save_steps: 1000
plot_loss: true
overwrite_output_dir: false

### training
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 5.0e-6
lr_scheduler_type: cosine
warmup_ratio: 0.03
num_train_epochs: 2.0
bf16: true
ddp_timeout: 180000000

### evaluation that never runs, as published
val_size: 0.01
per_device_eval_batch_size: 1
eval_strategy: "no"
eval_steps: 100
"""

_EXPORT = """
model_name_or_path: {model}
adapter_name_or_path: {out}
finetuning_type: lora
template: {template}

export_dir: {out}_merged
export_size: 5
export_device: cpu
export_legacy_format: false
"""


def yamls() -> dict[str, str]:
    """Return the text of every file, by its path from the repository root."""
    return dict(_files())


def _files() -> Iterator[tuple[str, str]]:
    for base in BASES:
        for stage in STAGES:
            if stage.only not in ("", base.folder):
                continue
            stem = f"train/{base.folder}/{stage.folder}/{base.size}"
            for method in stage.methods:
                yield _file(f"{stem}_{method}_QA_train_bs8.yaml", base, stage, method)
            if "lora" in stage.methods:
                yield _file(f"{stem}_lora_QA_train_bs8_export.yaml", base, stage, "export")
            if stage.saved == "nuscenes" and base.folder == "Qwen2_5-VL":
                yield _file(f"{stem}_full_QA_train_bs8_published.yaml", base, stage, "published")


_PARTS = {
    "full": ("", _MODEL + _FULL + _DATA + _OUTPUT + _TRAINING),
    "lora": ("_lora", _MODEL + _LORA + _DATA + _OUTPUT + _TRAINING),
    "published": ("_published", _PUBLISHED),
    "export": ("_lora", _EXPORT),
}
_WHAT = {
    "full": "fully fine-tuned",
    "lora": "as a LoRA adapter",
    "published": "by the published recipe, unchanged but for what is said below",
    "export": "its LoRA adapter merged into the weights it was trained on",
}


def _file(path: str, base: Base, stage: Stage, kind: str) -> tuple[str, str]:
    suffix, parts = _PARTS[kind]
    command = "llamafactory-cli export" if kind == "export" else "llamafactory-cli train"
    result = f"{base.saves}/{{}}{suffix}"
    before = result.format(stage.after) + ("_merged" if suffix == "_lora" else "")
    text = (_HEAD + parts).format(
        command=command if kind == "export" else f"FORCE_TORCHRUN=1 {command}",
        path=path,
        what=f"{base.hub_name.partition('/')[2]}, {stage.title}, {_WHAT[kind]}.",
        model=before if stage.after else base.hub_name,
        datasets=_listed(stage.datasets),
        dataset_dir=stage.dataset_dir,
        template=base.template,
        out=result.format(stage.saved),
        learning_rate="1.0e-4" if kind == "lora" else "5.0e-6",
    )
    return path, text


def _listed(names: tuple[str, ...]) -> str:
    """Return names as one YAML value, a line for each dataset if there are several."""
    if len(names) == 1:
        return names[0]
    by_dataset: dict[str, list[str]] = {}
    for name in names:
        by_dataset.setdefault(name.partition("_")[0], []).append(name)
    return ">-\n" + ",\n".join(f"  {', '.join(lines)}" for lines in by_dataset.values())
