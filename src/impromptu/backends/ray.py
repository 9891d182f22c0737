"""Units as tasks of a Ray cluster: the one that RAY_ADDRESS names, else one of this machine.

A task writes its part as a worker process does, so that every node must reach the inputs and the
output folder under the same paths.
"""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

from impromptu.backends import Backend, R, U
from impromptu.manifest import code

# Ray looks at these when it is imported.
_ANY = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # no pages of Ray's own log before our one error
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # give a cluster up that does not answer for 40 s, not 700
    "RAY_USAGE_STATS_ENABLED": "0",  # report nothing to anybody
}
_OURS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listen on this machine's loopback alone
    "RAY_AUTH_MODE": "token",  # obey no other user of this machine
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # so that Ray writes no key into the home folder
}
"""Of a Ray that is started here, and ends here."""
_OBJECTS_BYTES = 100 * 2**20
"""Nearly the least Ray takes: units and what is said of them are small, samples go to files."""


def _run(
    work: Callable[[U], R], units: Sequence[U], workers: int, gpus: int = 0
) -> Iterator[tuple[U, R]]:
    ray = _connect(workers)
    try:
        has_gpus = gpus and "GPU" in ray.cluster_resources()
        needs = {"num_cpus": 1, "num_gpus": gpus if has_gpus else 0}
        task = ray.remote(**needs, max_retries=0)(work_on)
        waiting = iter(units)
        running = {task.remote(work, unit, code()): unit for unit in islice(waiting, workers)}
        while running:
            (ended, *_), _ = ray.wait(list(running))
            unit = running.pop(ended)
            said: R = _result(ray, ended)
            running |= {task.remote(work, unit, code()): unit for unit in islice(waiting, 1)}
            if not unit.part.is_file():
                raise OSError(
                    f"{unit.part}: a Ray task wrote it, and it is not here; expected an output "
                    "folder that every node of the cluster shares"
                )
            yield unit, said
    finally:
        ray.shutdown()


def _connect(workers: int) -> ModuleType:
    """Import Ray and start it, or join the cluster that is named."""
    address = os.environ.get("RAY_ADDRESS")
    if not address and isinstance(sys.modules.get("ray"), ModuleType):
        raise OSError(
            "Ray was imported before it could be told to listen to this machine alone; run "
            "impromptu ... --backend ray in a process of its own, or name a cluster with "
            "RAY_ADDRESS"
        )
    for name, value in (_ANY if address else _ANY | _OURS).items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        error.add_note("--backend ray needs more: pip install 'impromptu-vla[ray]'")
        raise
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    ours = {
        "num_cpus": workers,
        "object_store_memory": _OBJECTS_BYTES,
        "include_dashboard": False,
    }
    try:
        ray.init(address or "local", **quiet, **({} if address else ours))
    except (ConnectionError, RuntimeError) as error:
        if not address:
            raise
        raise OSError(
            f"RAY_ADDRESS={address}: {error}; is it running, and if it asks for a token, as new "
            "releases of Ray do, is RAY_AUTH_MODE=token set here too?"
        ) from error
    return ray  # type: ignore[no-any-return]


def work_on(work: Callable[[U], R], unit: U, asked_by: str) -> R:
    """Write a unit's part, in a task.

    Raises:
        ValueError: This node has other code than the one that asks; it would write other bytes.
    """
    if asked_by != code():
        raise ValueError(
            f"{os.uname().nodename}: impromptu differs here from the one that runs the command; "
            "install the same version on every node of the Ray cluster"
        )
    return work(unit)


def _result(ray: ModuleType, ended: object) -> Any:
    """Return what a task returned, or raise what it raised, or why it could not end."""
    try:
        return ray.get(ended)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", error)
        if not isinstance(cause, ray.exceptions.RayError):
            raise cause from error
        what, _, _ = str(cause).partition("\n")
        raise OSError(
            f"a Ray worker failed ({what}); if for want of memory, give a "
            "smaller --workers, if for want of a package, install it on every node of the "
            "cluster; then run the same command again to go on"
        ) from error


BACKEND = Backend(_run)
