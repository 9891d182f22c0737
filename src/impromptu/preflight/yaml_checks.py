"""Looks for what in a YAML would stop a training, or quietly make it another one."""

from collections.abc import Iterator
from pathlib import Path

from impromptu.audits import Finding
from impromptu.preflight.model import read_object, zero_stage
from impromptu.preflight.plan import Plan
from impromptu.preflight.tokens import TEMPLATES

_FROZEN = ("freeze_vision_tower", "freeze_multi_modal_projector", "freeze_language_model")
_WEIGHTS = (".bin", ".safetensors", ".pt", ".pth")


def check_yaml(plan: Plan) -> Iterator[Finding]:
    """Yield what is found, without looking at the data."""
    if plan.stage != "sft":
        text = f"stage is {plan.stage!r}; only sft is checked here."
        yield Finding("error", "not_checked", text)
    yield from _deepspeed(plan)
    yield from _output(plan)
    yield from _defaults(plan)
    if plan.tokenized_path and Path(plan.tokenized_path).is_dir():
        text = (
            f"tokenized_path {plan.tokenized_path} is there: training reads it and neither the "
            "dataset nor cutoff_len, and it was not checked."
        )
        yield Finding("error", "tokenized_path", text)
    if plan.packs and not plan.neat_packing:
        text = "packing without neat_packing: samples of a pack see one another."
        yield Finding("warning", "packing", text)
    if plan.mask_history:
        yield Finding("note", "mask_history", "mask_history: only last answers are learnt.")


def check_template(plan: Plan, checkpoint: Path | None) -> Iterator[Finding]:
    """Yield what is wrong with the template, for itself and for the model, if that is there."""
    if not plan.template:
        text = "No template is given; LLaMA-Factory guesses one from the tokenizer."
        yield Finding("error", "template", f"{text} Give one: {', '.join(TEMPLATES)}.")
        return
    if plan.template not in TEMPLATES:
        hint = "Qwen2.5-VL's is qwen2_vl." if "2_5" in plan.template else ""
        text = f"template {plan.template!r}: tokens are counted for {', '.join(TEMPLATES)} only."
        yield Finding("error", "template", f"{text} {hint}".strip())
        return
    try:
        kind = str(read_object(checkpoint / "config.json").get("model_type")) if checkpoint else ""
    except ValueError as error:
        yield Finding("error", "template", f"The model's kind is not known: {error}")
        return
    if kind and kind not in (models := TEMPLATES[plan.template].models):
        fits = [name for name, one in TEMPLATES.items() if kind in one.models]
        text = (
            f"template {plan.template!r} is for {' and '.join(models)}; the model is a {kind!r}"
            f"{', whose template is ' + ' or '.join(fits) if fits else ''}."
        )
        yield Finding("error", "template", text)
    if TEMPLATES[plan.template].reasons and plan.enable_thinking:
        text = (
            f"template {plan.template!r} teaches an empty <think></think> before every answer; "
            f"{plan.template}_nothink does not."
        )
        yield Finding("warning", "thinking", text)


def _deepspeed(plan: Plan) -> Iterator[Finding]:
    if plan.deepspeed:
        try:
            zero_stage(Path(plan.deepspeed))
        except (OSError, ValueError) as error:
            yield Finding("error", "deepspeed", f"deepspeed: {error}")


def _output(plan: Plan) -> Iterator[Finding]:
    """Tell what LLaMA-Factory does with an output folder that is not empty."""
    folder = Path(plan.output_dir)
    if not plan.output_dir or plan.overwrite_output_dir or plan.resume_from_checkpoint:
        return
    if not folder.is_dir():
        if folder.exists():
            yield Finding("error", "output_dir", f"output_dir {folder} is a file.")
        return
    names = [path.name for path in folder.iterdir()]
    if checkpoints := [name for name in names if name.startswith("checkpoint-")]:
        text = (
            f"output_dir {folder} has {len(checkpoints)} checkpoints: training goes on from the "
            "last instead of beginning; overwrite_output_dir=true begins anew."
        )
        yield Finding("warning", "resumes", text)
    elif names:
        weights = any(name.endswith(_WEIGHTS) for name in names)
        text = f"output_dir {folder} is not empty"
        text += ": LLaMA-Factory refuses to train into earlier weights." if weights else "."
        yield Finding("error" if weights else "warning", "output_dir", text)


def _defaults(plan: Plan) -> Iterator[Finding]:
    """Name defaults that surprise."""
    if "cutoff_len" not in plan.given:
        yield Finding("warning", "cutoff_default", "cutoff_len is not given: it is 2,048 tokens.")
    unsaid = [key for key in _FROZEN if key not in plan.given and getattr(plan, key)]
    if unsaid:
        text = f"Not given, so LLaMA-Factory's default of true: {', '.join(unsaid)}."
        yield Finding("warning", "frozen_default", f"{text} These parts do not learn.")
    if "image_max_pixels" not in plan.given:
        text = f"image_max_pixels is not given: it is {plan.image_max_pixels:,}."
        yield Finding("note", "pixels_default", text)
    asked = {key: plan.given[key] for key in ("max_samples", "max_steps") if plan.given.get(key)}
    for key, value in asked.items():
        yield Finding("note", key, f"{key} is {value}.")
