"""Asks a model behind an OpenAI-compatible server many things, resumably and within a budget.

Requests are read as they are asked and replies go straight to a ``Store``, so that memory holds a
digest a request and what is under way. Two runs on one store share the work between them.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from impromptu.asking.images import Pictures
from impromptu.asking.request import Reply, Request
from impromptu.asking.store import Store, open_store
from impromptu.engines import Completion, Refused, Settings
from impromptu.engines._in_flight import in_flight
from impromptu.engines.openai import RETRIES, Asker, chat, connect, content_parts
from impromptu.progress import track
from impromptu.questions import AnswerError

__all__ = ["Outcome", "Reply", "Request", "Spending", "Store", "ask_all", "open_store"]

Check = Callable[[Request, str], str]
"""Returns an answer as it is to be kept; raises ``AnswerError``, whose reason it is stored under.

It is not asked about what the model could not finish (``cut_short``).
"""

REJECTED_IN_A_ROW = 32
"""So many replies that are no answers, and none between that is: the model is the wrong one."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What a run may use, and what it costs.

    Attributes:
        budget_tokens: Both kinds together; None for no bound.
        price_in, price_out: Of a million tokens, in whatever currency.
    """

    budget_tokens: int | None = None
    price_in: float = 0.0
    price_out: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        known: Requests that were answered before.
        accepted: Answers of this run.
        rejected: The number of replies of this run that are none, by reason.
        problems: The first of each reason, for people.
        elsewhere: Requests that another run was asking at the time.
        unasked: Requests that were left when the budget was used up.
        cost: In the currency of the prices; 0 without any.
    """

    known: int = 0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    elsewhere: int = 0
    unasked: int = 0
    cost: float = 0.0

    def take(self, reply: Reply, spending: Spending) -> None:
        """Count a reply."""
        self.accepted += not reply.reason
        if reply.reason:
            self.rejected[reply.reason] += 1
            self.problems.setdefault(reply.reason, f"{reply.id}: {reply.problem}")
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        paid = reply.tokens_in * spending.price_in + reply.tokens_out * spending.price_out
        self.cost += paid / 1e6

    def __str__(self) -> str:
        """Tell tokens, cost and rejections."""
        parts = [f"{self.tokens_in + self.tokens_out:,} tokens"]
        parts += [f"cost {self.cost:,.2f}"] if self.cost else []
        parts += [f"{self.rejected.total()} rejected"] if self.rejected else []
        return ", ".join(parts)


def ask_all(
    requests: Iterable[Request],
    store: Store,
    settings: Settings,
    check: Check,
    spending: Spending,
    label: str,
    retries: int = RETRIES,
    patience: int = REJECTED_IN_A_ROW,
) -> Outcome:
    """Ask every request that the store does not answer, and store each reply as it comes.

    What was rejected in an earlier run is asked again.

    Args:
        requests: Gone through up to three times; the same each time.
        store: Of this model and its decoding.
        settings: Where the server is, its model, decoding, image budget and concurrency.
        check: What makes a text an answer.
        spending: The run stops taking requests where its budget would be passed.
        label: Of the progress.
        retries: Of one request, later and later or when the server says.
        patience: So many replies in a row that are no answers, and the model is the wrong one.

    Raises:
        OSError: The server is gone or answers nobody, or nothing more can be written; what came
            is stored.
        ValueError: The server knows no such key or model, or its model answers nothing.
    """
    run = _Run(requests, store, settings, spending, patience)
    todo = run.count()
    if not todo:
        return run.outcome
    asker = Asker(connect(settings, retries), settings, retries)
    budget = settings.image_max_pixels, settings.image_min_pixels
    ask = _Ask(asker, Pictures(*budget, threads=os.cpu_count() or 1), check)
    answers = in_flight(ask.reply, settings.concurrency, ask.close)(run.open())
    try:
        for request, reply in track(answers, todo, "requests", label, run.outcome.__str__):
            store.put(request, reply)
            run.take(reply)
    except (OSError, ValueError) as error:
        error.add_note(
            f"{store.folder} keeps {run.outcome.accepted} new answers; run the same command again "
            "to go on"
        )
        raise
    finally:
        answers.close()  # type: ignore[attr-defined]  # a generator: what is under way ends with it
    return run.outcome


@dataclass(slots=True)
class _Run:
    """Which requests are left, and what the others came to.

    Attributes:
        taken: Keys of what this run has asked.
        rejected: Replies in a row that are no answers.
        finished: Replies.
    """

    requests: Iterable[Request]
    store: Store
    settings: Settings
    spending: Spending
    patience: int
    outcome: Outcome = field(default_factory=Outcome)
    taken: set[bytes] = field(default_factory=set)
    rejected: int = 0
    finished: int = 0

    def count(self) -> int:
        """Return how many are to be asked."""
        asked = [request in self.store for request in self.requests]
        self.outcome.known = sum(asked)
        return len(asked) - self.outcome.known

    def open(self) -> Iterator[Request]:
        """Yield what is to be asked; what another run had is looked at again at the end."""
        for last in (False, True):
            self.outcome.elsewhere = self.outcome.unasked = 0
            for request in self.requests:
                if request.key in self.taken or request in self.store:
                    continue
                if self._spent():
                    self.outcome.unasked += 1
                elif self.store.claim(request):
                    self.taken.add(request.key)
                    yield request
                elif request not in self.store:
                    self.outcome.elsewhere += 1
            if last or not self.outcome.elsewhere:
                return

    def _spent(self) -> bool:
        """Tell whether what is under way will use up the budget, if it is as long as the rest."""
        budget = self.spending.budget_tokens
        if budget is None:
            return False
        used = self.outcome.tokens_in + self.outcome.tokens_out
        return used * len(self.taken) >= budget * max(self.finished, 1)

    def take(self, reply: Reply) -> None:
        """Count a reply.

        Raises:
            ValueError: The model gives no answers, or the budget cannot be kept.
        """
        self.outcome.take(reply, self.spending)
        self.finished += 1
        if reply.reason not in _NOT_THE_MODELS:
            self.rejected = self.rejected + 1 if reply.reason else 0
        if self.rejected >= self.patience:
            raise ValueError(
                f"{self.settings.base_url} ({self.settings.model}): {self.rejected} replies in a "
                f"row were no answers, the last to {reply.id}: {reply.reason}, {reply.problem}; "
                "does this model see images, and follow instructions?"
            )
        if self.spending.budget_tokens and not reply.reason and not reply.tokens_in:
            raise ValueError(
                f"{self.settings.base_url}: it tells no token counts, so no budget can be kept"
            )


_NOT_THE_MODELS = {"missing_image", "unreadable_image"}


@dataclass(slots=True)
class _Ask:
    """Asks one request after the other has begun.

    Attributes:
        schemas: Whether the server takes them, as far as is known.
    """

    asker: Asker
    pictures: Pictures
    check: Check
    schemas: bool = True

    async def reply(self, request: Request) -> Reply:
        """Ask a request and judge what comes back."""
        try:
            uris = await self.pictures.uris(request.images)
        except FileNotFoundError as error:
            return self._reply(request, Completion("", "error"), "missing_image", str(error))
        except OSError as error:
            return self._reply(request, Completion("", "error"), "unreadable_image", str(error))
        settings = self.asker.settings
        key = f"{request.id}/{request.repeat}"
        body = chat(settings, key, content_parts(request.prompt, uris))
        try:
            completion = await self._complete(body, request.schema)
        except Refused as error:
            return self._reply(request, Completion("", "error"), "server_refused", str(error))
        return self._judged(request, completion)

    async def _complete(
        self, body: Mapping[str, Any], schema: Mapping[str, Any] | None
    ) -> Completion:
        """Ask with a schema; where the server refuses that and takes it without, without."""
        if schema is None or not self.schemas:
            return await self.asker.complete(body)
        shape = {"name": "answer", "schema": dict(schema), "strict": True}
        wanted = {"response_format": {"type": "json_schema", "json_schema": shape}}
        try:
            return await self.asker.complete({**body, **wanted})
        except Refused:
            completion = await self.asker.complete(body)
            self.schemas = completion.finish_reason == "error"
            return completion

    def _judged(self, request: Request, completion: Completion) -> Reply:
        if completion.finish_reason == "error":
            return self._reply(request, completion, "server_failed", completion.problem)
        if completion.finish_reason == "length":
            told = f"cut at {self.asker.settings.decoding.max_new_tokens} tokens"
            return self._reply(request, completion, "cut_short", told)
        try:
            # Half a surrogate pair, as a cut stream may have, can be written to no file.
            kept = self.check(request, completion.text.encode(errors="replace").decode())
        except AnswerError as error:
            return self._reply(request, completion, error.reason, str(error))
        return self._reply(request, replace(completion, text=kept), "", "")

    def _reply(self, request: Request, said: Completion, reason: str, problem: str) -> Reply:
        return Reply(
            request.id,
            request.repeat,
            request.prompt_sha256,
            said.text,
            said.finish_reason,
            reason,
            problem,
            self.asker.settings.model,
            said.tokens_in,
            said.tokens_out,
        )

    async def close(self) -> None:
        """Let go of the server."""
        self.pictures.close()
        await self.asker.client.close()
