"""Asks a teacher about every keyframe, stage after stage, and writes down what it knows then."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from impromptu.asking import REJECTED_IN_A_ROW, Outcome, Spending, Store, ask_all, open_store
from impromptu.curation import keyframes, label_table, replies
from impromptu.curation.image_hash import image_hash
from impromptu.curation.keyframes import Keyframe
from impromptu.curation.label_table import VOTES, State
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.stages import (
    DESCRIBE,
    IDENTIFY,
    LABEL,
    NO_IMAGE,
    PROPOSE,
    STAGES,
    Answers,
    Asked,
    Open,
    Stage,
)
from impromptu.curation.taxonomy import NAMES
from impromptu.engines import Decoding, Settings
from impromptu.files import atomic_bytes

_ROWS = 16_384
KEYFRAMES, LABELS = "keyframes.parquet", "labels.parquet"


@dataclass(slots=True)
class Curation:
    """One run over the keyframes of a generation.

    Attributes:
        samples: Where images are relative to.
        out: Holds the keyframes, the answers and what comes of them.
        recipe: Its rules.
        settings: The teacher.
        stores: The answers of each stage.
        lost: Keyframes by state and the reason of the last answer that could not be used.
        unusual: The unconventional ones, and how many answers there were when that was looked up.
    """

    samples: Path
    out: Path
    recipe: CurationRecipe
    settings: Settings
    stores: Mapping[str, Store] = field(default_factory=dict)
    known: dict[str, Answers] = field(default_factory=dict)
    lost: Counter[tuple[State, str]] = field(default_factory=Counter)
    unusual: tuple[tuple[int, ...], set[str]] = ((), set())

    def look_up(self, stage: Stage) -> Answers:
        """Take in what is known of a stage by now, to another run too."""
        store = self.stores[stage.name]
        store.refresh()
        self.known[stage.name] = Answers(store, store.rejections(), self.recipe.repairs)
        return self.known[stage.name]

    def keyframes(self) -> Iterator[Keyframe]:
        """Yield all keyframes."""
        return keyframes.read(self.out / KEYFRAMES, self.samples)

    def described(self, stage: Stage, keyframes: Iterable[Keyframe]) -> Iterator[Asked]:
        """Yield what a stage asks of those keyframes that are described."""
        for keyframe in keyframes:
            said = keyframe.image and self.known["describe"].of(Asked(DESCRIBE, keyframe))
            if said:
                yield Asked(stage, keyframe, description=said)

    def unconventional(self) -> Iterator[Keyframe]:
        """Yield the keyframes that the teacher calls unconventional.

        Answers are only ever added: while there are as many, what they say is not looked up again.
        """
        answers = tuple(len(self.stores[stage.name]) for stage in (DESCRIBE, IDENTIFY))
        if self.unusual[0] != answers:
            asked = self.described(IDENTIFY, self.keyframes())
            word = self.known["identify"].of
            ids = {one.keyframe.id for one in asked if word(one) == "Unconventional"}
            self.unusual = answers, ids
        return (one for one in self.keyframes() if one.id in self.unusual[1])

    def asked(self, stage: Stage) -> Iterator[Asked]:
        """Yield all that a stage asks, as far as earlier stages are answered."""
        if stage is DESCRIBE:
            return (Asked(DESCRIBE, one) for one in self.keyframes() if one.image)
        if stage is IDENTIFY:
            return self.described(IDENTIFY, self.keyframes())
        if stage is PROPOSE:
            return self.described(PROPOSE, self.unconventional())
        times = range(self.recipe.label_repeats)
        return (Asked(LABEL, one, k) for one in self.unconventional() for k in times)


@contextmanager
def open_curation(
    samples: Path, out: Path, recipe: CurationRecipe, settings: Settings
) -> Iterator[Curation]:
    """Gather the keyframes, and open the answers that there are.

    Raises:
        OSError, ValueError: As ``keyframes.gather`` and ``asking.open_store`` say.
    """
    keyframes.gather(samples, out / KEYFRAMES)
    with ExitStack() as stack:
        stores = dict[str, Store]()
        for stage in STAGES:
            decoding = _decoding(stage, recipe)
            told = {
                "model": settings.model,
                "temperature": decoding.temperature,
                "max_new_tokens": decoding.max_new_tokens,
                "image_max_pixels": settings.image_max_pixels,
            }
            opened = open_store(out / "answers" / stage.name, told)
            stores[stage.name] = stack.enter_context(opened)
        curation = Curation(samples, out, recipe, settings, stores)
        for stage in STAGES:
            curation.look_up(stage)
        yield curation


def _decoding(stage: Stage, recipe: CurationRecipe) -> Decoding:
    temperature = recipe.temperature if stage is LABEL else 0.0
    return Decoding(temperature=temperature, max_new_tokens=stage.max_new_tokens, seed=recipe.seed)


def ask(curation: Curation, stage: Stage, spending: Spending) -> Outcome:
    """Ask all of a stage that is not answered yet, and again what could not be used.

    Raises:
        OSError, ValueError: As ``asking.ask_all`` says.
    """
    settings = replace(curation.settings, decoding=_decoding(stage, curation.recipe))
    store, total = curation.stores[stage.name], Outcome()
    for again in range(curation.recipe.repairs + 1):
        requests = Open(lambda: curation.asked(stage), curation.look_up(stage), again > 0)
        outcome = ask_all(
            requests,
            store,
            settings,
            lambda request, text: stage.keep(text),
            spending,
            f"{stage.name}{' again' * (again > 0)}",
            # Of a teacher that has answered, what is left is hard: failures in a row are no wonder.
            patience=sys.maxsize if len(store) else REJECTED_IN_A_ROW,
        )
        _add(total, outcome)
        spending = _left(spending, outcome)
        if outcome.unasked or not outcome.rejected:
            break
    curation.look_up(stage)
    return total


def _add(total: Outcome, more: Outcome) -> None:
    """Add what another round came to."""
    for name in ("accepted", "tokens_in", "tokens_out", "cost"):
        setattr(total, name, getattr(total, name) + getattr(more, name))
    total.rejected.update(more.rejected)
    for reason, problem in more.problems.items():
        total.problems.setdefault(reason, problem)
    total.unasked, total.elsewhere = more.unasked, more.elsewhere


def _left(spending: Spending, outcome: Outcome) -> Spending:
    if spending.budget_tokens is None:
        return spending
    used = outcome.tokens_in + outcome.tokens_out
    return replace(spending, budget_tokens=max(spending.budget_tokens - used, 0))


def write_labels(curation: Curation) -> None:
    """Write what is known of every keyframe by now as a label table."""
    for stage in STAGES:
        curation.look_up(stage)
    curation.lost.clear()
    out, schema = curation.out / LABELS, label_table.SCHEMA
    with (
        pq.ParquetFile(curation.out / KEYFRAMES) as file,
        atomic_bytes(out) as target,
        pq.ParquetWriter(target, schema, compression="zstd") as to,
        ThreadPoolExecutor() as pool,
    ):
        for batch in file.iter_batches(_ROWS):
            rows = [row | _known(curation, row) for row in batch.to_pylist()]
            voted = [row for row in rows if any(row[name] for name in VOTES)]
            paths = (curation.samples / row["image"] for row in voted)
            for row, number in zip(voted, pool.map(image_hash, paths), strict=True):
                row["image_hash"] = number
            to.write_table(pa.Table.from_pylist(rows, schema))


def _known(curation: Curation, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that tell what the teacher said of one keyframe."""
    labels = list[replies.Label]()
    state = _state(curation, row, labels)
    votes = [sum(name in label.categories for label in labels) for name in NAMES]
    return {
        "state": state,
        "labels": len(labels),
        **dict(zip(VOTES, votes, strict=True)),
        "image_hash": None,
    }


def _state(curation: Curation, row: Mapping[str, Any], labels: list[replies.Label]) -> State:
    """Tell how far a keyframe came; put its labels into ``labels`` if it came that far."""
    if row["image"] is None:
        curation.lost["no_image", "no_prompt"] += 1
        return "no_image"
    keyframe = Keyframe(row["id"], curation.samples / row["image"])
    describe = Asked(DESCRIBE, keyframe)
    description = curation.known["describe"].of(describe)
    if description is None:
        return _lost(curation, describe, "not_described")
    identify = Asked(IDENTIFY, keyframe, description=description)
    word = curation.known["identify"].of(identify)
    if word is None:
        return _lost(curation, identify, "not_identified")
    if word == "Conventional":
        return "conventional"
    asked = [Asked(LABEL, keyframe, k) for k in range(curation.recipe.label_repeats)]
    said = [curation.known["label"].of(one) for one in asked]
    if 2 * sum(map(bool, said)) < len(said):
        return _lost(curation, asked[said.index(None)], "not_labelled")
    labels += [replies.read_label(text) for text in said if text]
    return "labelled"


def _lost(curation: Curation, asked: Asked, state: State) -> State:
    _, fault = curation.known[asked.stage.name].latest(asked)
    state = "no_image" if fault in NO_IMAGE else state
    curation.lost[state, fault or "not_asked"] += 1
    return state


def proposals(curation: Curation) -> Iterator[str]:
    """Yield the categories that the teacher proposed of itself."""
    for asked in curation.asked(PROPOSE):
        if said := curation.known["propose"].of(asked):
            yield said


def embed(settings: Settings, model: str, texts: Sequence[str]) -> list[list[float]]:
    """Return a vector for each text, by the teacher's server.

    Raises:
        ValueError: It gives none.
    """
    import os

    import openai

    key = os.environ.get(settings.api_key_env) or "none"
    made = list[list[float]]()
    with openai.OpenAI(base_url=settings.base_url, api_key=key) as client:
        try:
            for begin in range(0, len(texts), 256):
                part = list(texts[begin : begin + 256])
                made += [
                    one.embedding for one in client.embeddings.create(model=model, input=part).data
                ]
        except openai.OpenAIError as error:
            told = f"{settings.base_url} gives no embeddings of {model!r}: {type(error).__name__}"
            raise ValueError(f"{told}; leave --embedding_model away") from error
    return made
