"""Adds action tokens to a checkpoint: to its tokenizer, and a row for each to its embeddings."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from impromptu import checkpoints, torch_cpu
from impromptu.action_tokens import TOKEN, Codebook, save_codebook

CODEBOOK = "actions.json"
"""The codebook, beside the weights."""

_ROWS_TOGETHER = 64


def add_actions(model: str, codebook: Codebook, out: Path) -> int:
    """Write a checkpoint that knows a codebook's tokens; return how many rows it has more.

    A new row starts as the weighted mean of the rows of the token's own text, ``x+4.13``, each
    character with half the weight of the one before: steps that begin with the same digits start
    close together, and no two the same. The tokens are ordinary ones, not special, or decoding
    would take them out of answers.

    Raises:
        FileExistsError: There is something in ``out``.
        FileNotFoundError: There is no such checkpoint.
        ValueError: The checkpoint has action tokens already.
        ModuleNotFoundError: torch or transformers is not installed; the message says how.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds something already; choose another --out")
    checkpoints.check(model)
    torch_cpu.hook()
    try:
        import transformers
    except ModuleNotFoundError as error:
        error.add_note("checkpoints need more: pip install 'impromptu-vla[train]'")
        raise
    processor = transformers.AutoProcessor.from_pretrained(model, use_fast=True)
    if any(map(TOKEN.fullmatch, processor.tokenizer.get_vocab())):
        raise ValueError(f"{model} has action tokens already; add them to the checkpoint before")
    weights = transformers.AutoModelForImageTextToText.from_pretrained(model, dtype="auto")
    added = _add(weights, processor.tokenizer, codebook.tokens)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        folder = Path(scratch) / out.name
        weights.save_pretrained(folder)
        processor.save_pretrained(folder)
        save_codebook(folder / CODEBOOK, codebook, {})
        os.replace(folder, out)
    return added


def _add(weights: Any, tokenizer: Any, tokens: Sequence[str]) -> int:
    """Add the tokens to both, and return by how many rows the embeddings grew."""
    import torch
    from tokenizers import AddedToken

    spelled = [
        tokenizer(token.strip("<|>"), add_special_tokens=False).input_ids for token in tokens
    ]
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in tokens])
    before = weights.get_input_embeddings().weight.shape[0]
    # Published checkpoints have rows to spare, which resizing would not begin anew.
    if len(tokenizer) > before:
        weights.resize_token_embeddings(
            len(tokenizer), pad_to_multiple_of=_ROWS_TOGETHER, mean_resizing=False
        )
    with torch.no_grad():
        # Where input and output share their rows this writes the same ones twice.
        for layer in (weights.get_input_embeddings(), weights.get_output_embeddings()):
            for name, ids in zip(tokenizer.convert_tokens_to_ids(tokens), spelled, strict=True):
                layer.weight[name] = _mean_row(layer.weight[ids])
    return int(weights.get_input_embeddings().weight.shape[0] - before)


def _mean_row(rows: Any) -> Any:
    """Return the mean of (n, d) rows, each with half the weight of the one before, (d,)."""
    import torch

    share = 0.5 ** torch.arange(len(rows), dtype=torch.float32, device=rows.device)
    return ((share / share.sum()) @ rows.float()).to(rows.dtype)
