"""Imports point down only."""

import ast
from pathlib import Path

import impromptu

SRC = Path(impromptu.__file__).parent
HEAVY = {"torch", "transformers", "llamafactory", "ray", "sglang", "vllm", "nuscenes", "av2"} | {
    "av",
    "carla_driver_interface",
    "fastapi",
    "grpc",
    "huggingface_hub",
    "llmcompressor",
    "msgpack",
    "openai",
    "py123d",
    "rerun",
    "starlette",
    "uvicorn",
    "webdataset",
}
LAYERS = (
    (
        "arrays",
        "counts",
        "files",
        "image_files",
        "plugins",
        "progress",
        "tfrecord",
        "torch_cpu",
        "json_stream",
        "sharegpt_rows",
        "tar_members",
        "releases",
        "workers",
        "content_keys",
        "local_server",
        "moving_pictures",
        "taxonomy",
        "chat_server",
    ),
    ("checkpoints", "fetching"),
    ("geometry", "poses", "dividing"),
    ("clip", "conversation"),
    (
        "action_tokens",
        "chosen_clips",
        "extraction",
        "filters",
        "sampling",
        "meta_actions",
        "visibility",
        "released",
    ),
    ("clip_table", "preset"),
    ("surroundings",),
    ("clip_rows", "wording"),
    ("datasets", "questions", "metrics", "miniature"),
    ("answer_forms", "audits"),
    (
        "answer_files",
        "answer_pairs",
        "engines",
        "judging",
        "mining",
        "part",
        "prediction_file",
        "registry",
        "tiny_model",
        "training_matrix",
    ),
    (
        "action_checkpoint",
        "action_fitting",
        "asking",
        "joint_loss",
        "clip_lookup",
        "ego_training",
        "indexing",
        "manifest",
        "part_merging",
        "backends",
    ),
    ("annotation",),
    ("curation",),
    ("prompts_page",),
    ("breakdown", "intervals", "reading", "scoring", "audit_records", "audit_shards"),
    ("policies", "audit_sources", "joint_training"),
    ("auditing", "generation", "inference", "evaluation", "parity", "released_protocol"),
    ("pictures", "report", "shards"),
    ("contestants", "explorer", "preflight", "rerun_export", "quantization", "split_files"),
    ("splitting",),
    ("comparison",),
    ("review",),
    ("closed_loop",),
    ("pipeline",),
    ("cli", "__main__"),
)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}


def _modules() -> list[tuple[str, Path]]:
    paths = [path for path in sorted(SRC.rglob("*.py")) if path != SRC / "__init__.py"]
    return [(path.relative_to(SRC).parts[0].removesuffix(".py"), path) for path in paths]


def _imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_every_module_has_a_layer() -> None:
    assert {name for name, _ in _modules()} <= set(HEIGHT)


def test_imports_point_down() -> None:
    upward = [
        f"{path.relative_to(SRC)} imports {imported}"
        for name, path in _modules()
        for imported in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if imported.startswith("impromptu.")
        and HEIGHT.get(imported.split(".")[1], -1) > HEIGHT[name]
    ]
    assert not upward


def test_heavy_packages_are_imported_where_used() -> None:
    at_top = [
        f"{path.relative_to(SRC)} imports {imported} at its top"
        for _, path in _modules()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for imported in _imports(
            node if isinstance(node, ast.Import | ast.ImportFrom) else ast.Pass()
        )
        if imported.split(".")[0] in HEAVY
    ]
    assert not at_top
