"""Says in findings what was read: samples and their fates, lengths, steps, memory and time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from impromptu.arrays import Ints
from impromptu.audits import Finding, Severity, percent
from impromptu.preflight import fates
from impromptu.preflight.arithmetic import (
    GIB,
    Memory,
    Steps,
    held_back,
    memory_of,
    mixed,
    packs_of,
    steps_of,
)
from impromptu.preflight.model import Weights
from impromptu.preflight.plan import Plan
from impromptu.preflight.reading import Reading, mixed_kinds
from impromptu.preflight.tokens import Counter, Rules

_SHARES = (0, 50, 90, 99, 100)
_WORDS = 12


def samples(plan: Plan, reading: Reading) -> Iterator[Finding]:
    """Yield the count of every row: trained on, left out, skipped, or where training stops."""
    total = sum(seen.read for seen in reading.seen.values())
    for reason, text in fates.TEXTS.items():
        yield from reading.tally.finding(fates.severity(reason), reason, text, total)
    for name, kinds in reading.kinds.items():
        for key, found in mixed_kinds(kinds).items():
            told = ", ".join(f"{count:,} times {kind}" for kind, count in found)
            text = f"{name}: {key!r:.60} is {told}: LLaMA-Factory cannot load such a file."
            yield Finding("error", "mixed_types", text)
    if reading.seen and not sum(seen.trained for seen in reading.seen.values()):
        yield Finding("error", "no_samples", "There is nothing to train on.")
    yield _ledger(plan, reading)


def _ledger(plan: Plan, reading: Reading) -> Finding:
    head = ("dataset", "records", "trained on", "skipped", "stop it", "over max_samples", "cut")
    rows: list[tuple[str, ...]] = [head]
    figures: dict[str, Any] = {}
    for name, seen in reading.seen.items():
        counted = {
            "records": seen.records,
            "trained": seen.trained,
            "skipped": sum(seen.fates[reason] for reason in fates.SKIPPED),
            "stops": sum(seen.fates[reason] for reason in fates.STOPS),
            "max_samples": seen.records - seen.read,
            "cut": sum(seen.fates[reason] for reason in fates.CUT),
        }
        figures[name] = counted | {"fates": dict(sorted(seen.fates.items()))}
        rows.append((name, *(f"{value:,}" for value in counted.values())))
    total = sum(seen.trained for seen in reading.seen.values())
    records = sum(seen.records for seen in reading.seen.values())
    text = f"{total:,} of {records:,} records are trained on, with {reading.images:,} images"
    text += f"; {reading.held_out:,} are held out." if reading.held_out else "; none is held out."
    return Finding("note", "samples", text, total, records, table=tuple(rows), figures=figures)


def left_out(plan: Plan, reading: Reading, steps: Steps) -> Iterator[Finding]:
    """Yield what is not trained on because the YAML or the registry says so."""
    read = [seen.read for seen in reading.seen.values()]
    beyond = sum(seen.records for seen in reading.seen.values()) - sum(read)
    if beyond:
        text = f"max_samples leaves {beyond:,} records out."
        yield Finding("note", "max_samples", text, beyond)
    for dataset in reading.datasets:
        if dataset.trains and dataset.num_samples is not None:
            count = reading.seen[dataset.name].read
            text = f"{dataset.name}: the registry's num_samples draws {dataset.num_samples:,} of "
            yield Finding("note", "num_samples", f"{text}{count:,} records.", dataset.num_samples)
    drawn = mixed(plan, _drawn(plan, reading))
    if plan.mix_strategy != "concat" and len(read) > 1:
        text = f"mix_strategy {plan.mix_strategy} makes about {drawn:,} samples of {sum(read):,}."
        severity: Severity = "warning" if drawn < sum(read) else "note"
        yield Finding(severity, "mix_strategy", text, max(0, sum(read) - drawn), sum(read))
    if held := held_back(plan, drawn):
        text = f"val_size holds {held:,} samples back for validation."
        yield Finding("note", "val_size", text, held, drawn)
    if steps.unseen:
        text = f"{steps.unseen:,} of {steps.sequences:,} are never seen: "
        text += "the training ends before its first epoch does, or drops its last batch."
        yield Finding("warning", "unseen", text, steps.unseen, steps.sequences)


def _drawn(plan: Plan, reading: Reading) -> list[int]:
    """Return how many samples each dataset gives."""
    counts = []
    for dataset in reading.datasets:
        if dataset.trains:
            count = dataset.num_samples or reading.seen[dataset.name].read
            counts.append(min(count, plan.max_samples or count))
    return counts


def lengths(plan: Plan, reading: Reading) -> Iterator[Finding]:
    """Yield the distribution of tokens."""
    tokens = np.array(reading.tokens, dtype=np.int64)
    if not len(tokens):
        return
    points = np.percentile(tokens, _SHARES, method="inverted_cdf").tolist()
    over = int((tokens > plan.cutoff_tokens).sum())
    names = ("shortest", "median", "90 %", "99 %", "longest")
    total = int(tokens.sum())
    text = (
        f"{total:,} tokens an epoch, {percent(reading.image_tokens, total)} of them images'; "
        f"{over:,} samples are over {plan.cutoff_tokens:,}."
    )
    figures: dict[str, Any] = dict(zip(names, points, strict=True))
    figures |= {"total": total, "image_tokens": reading.image_tokens, "over": over}
    table = (names, tuple(f"{point:,.0f}" for point in points))
    yield Finding("note", "tokens", text, over, len(tokens), table=table, figures=figures)


def words(reading: Reading, rules: Rules | None) -> Iterator[Finding]:
    """Yield the words in angle brackets that answers hold."""
    if not reading.words:
        return
    common = reading.words.most_common(_WORDS)
    sizes = Counter(rules).count([word for word, _ in common]) if rules else [None] * len(common)
    table = [("word", "answers", "tokens each")]
    for (word, count), size in zip(common, sizes, strict=True):
        table.append((word, f"{count:,}", "?" if size is None else str(size)))
    text = f"Answers hold {len(reading.words):,} words in angle brackets"
    text += f"; the {_WORDS} most frequent:" if len(reading.words) > _WORDS else "."
    yield Finding("note", "words", text, len(reading.words), table=tuple(table))


def sequences(plan: Plan, reading: Reading) -> tuple[int, bool]:
    """Return how many sequences an epoch has, and whether that is exact."""
    read = sum(seen.read for seen in reading.seen.values())
    trained = sum(seen.trained for seen in reading.seen.values())
    drawn = mixed(plan, _drawn(plan, reading))
    drawn -= held_back(plan, drawn)
    kept: Ints = np.array(reading.kept, dtype=np.int64)
    exact = drawn == read and plan.mix_strategy == "concat"
    count = trained if exact else round(drawn * trained / max(read, 1))
    if not plan.packs or not len(kept):
        return count, exact or trained == read
    return max(1, round(packs_of(plan, kept) * count / max(trained, 1))), exact


def told_steps(plan: Plan, steps: Steps, exact: bool, gpus: int) -> Finding:
    """Say how many steps there are."""
    what = "packs" if plan.packs else "samples"
    epochs = steps.total / steps.per_epoch
    text = (
        f"{'' if exact else 'About '}{steps.total:,} steps of {steps.batch} {what} "
        f"({plan.per_device_train_batch_size} x {gpus} GPU{'s' * (gpus > 1)} x "
        f"{plan.gradient_accumulation_steps} accumulated), {steps.per_epoch:,} an epoch, "
        f"{epochs:.3g} epochs of {steps.sequences:,} {what}."
    )
    figures = {
        "total": steps.total,
        "per_epoch": steps.per_epoch,
        "batch": steps.batch,
        "sequences": steps.sequences,
        "exact": exact,
    }
    return Finding("note", "steps", text, steps.total, figures=figures)


def told_memory(
    plan: Plan, weights: Weights, stage: int, gpus: int, kept: Sequence[int]
) -> Iterator[Finding]:
    """Say how large the model is and what a GPU has to hold."""
    parts = ", ".join(f"{count / 1e9:.3g} billion {name}" for name, count in weights.parts.items())
    text = f"{weights.total / 1e9:.3g} billion parameters ({parts}); "
    text += f"{weights.trained / 1e9:.3g} billion learn."
    figures = {**weights.parts, "trained": weights.trained}
    yield Finding("note", "parameters", text, weights.total, figures=figures)
    if not weights.trained:
        yield Finding("error", "nothing_learns", "All parts are frozen: nothing would be learnt.")
    longest = plan.cutoff_len + 1 if plan.packs else max(kept, default=0)
    yield _told_bytes(plan, memory_of(plan, weights, stage, gpus, longest), stage, gpus, longest)


def _told_bytes(plan: Plan, memory: Memory, stage: int, gpus: int, longest: int) -> Finding:
    shares = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimiser": memory.optimiser,
        "activations": memory.activations,
        "logits": memory.logits,
        "total": memory.total,
    }
    zero = f"ZeRO-{stage}" if stage else "no DeepSpeed"
    text = (
        f"About {memory.total / GIB:.3g} GiB a GPU ({plan.finetuning_type}, {zero}, {gpus} "
        f"GPU{'s' * (gpus > 1)}), under AdamW, at {plan.per_device_train_batch_size} x "
        f"{longest:,} tokens; by the formulas of docs/preflight.md: leave a fifth spare."
    )
    table = (tuple(shares), tuple(f"{size / GIB:.3g} GiB" for size in shares.values()))
    return Finding("note", "memory", text, memory.total, table=table, figures=shares)


def told_time(
    plan: Plan, reading: Reading, steps: Steps, gpus: int, tokens_per_s: float | None
) -> Finding:
    """Say how long it takes at a speed that somebody measured."""
    if tokens_per_s is None:
        text = "No --tokens_per_s was given, so no time: measure ten steps on one GPU."
        return Finding("note", "time", text)
    if not reading.kept:
        return Finding("note", "time", "No tokens were counted, so no time.")
    a_sequence = sum(reading.kept) / max(steps.sequences, 1)
    if plan.packs:
        a_sequence = plan.cutoff_len
    tokens = steps.total * steps.batch * a_sequence
    hours = tokens / (tokens_per_s * gpus) / 3600
    text = (
        f"About {hours:.3g} hours for {tokens:,.0f} tokens, at {tokens_per_s:,.0f} tokens/s a GPU; "
        "saving, evaluation and reading the data not included."
    )
    return Finding("note", "time", text, figures={"hours": hours, "tokens": tokens})


def overview(plan: Plan, reading: Reading, gpus: int) -> tuple[Steps, bool]:
    """Return the steps, and whether they are exact."""
    count, exact = sequences(plan, reading)
    return steps_of(plan, count, gpus), exact
