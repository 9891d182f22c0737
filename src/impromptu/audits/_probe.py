"""A linear probe: how well do a prompt's numbers, weighted as fits best, give the waypoints?"""

from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats

_RIDGE = 1e-6
"""Enough to bear columns that depend on each other; too little to blur an exact relation."""
_ROWS_A_COLUMN = 3


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors (m) along x and y of samples that were not fitted, (n, waypoints, 2).

    Attributes:
        probe_m: Of the probe.
        shuffled_m: Of a probe whose prompts were dealt to other samples: what no knowledge gives.
        held: (all n) which samples these are.
    """

    probe_m: Floats
    shuffled_m: Floats
    held: Bools


def probe(told: Floats, path_m: Floats, fitted: Bools, seed: int) -> Errors | None:
    """Fit on one half and measure on the other; None where there are too few to fit.

    Args:
        told: (n, k) numbers of prompts.
        path_m: (n, waypoints, 2) answers.
        fitted: (n,) which samples to fit.
        seed: Of the shuffle.
    """
    if fitted.sum() < _ROWS_A_COLUMN * (told.shape[1] + 1) or not (~fitted).any():
        return None
    dealt = told[np.random.default_rng(seed).permutation(len(told))]
    return Errors(_errors_m(told, path_m, fitted), _errors_m(dealt, path_m, fitted), ~fitted)


def _errors_m(told: Floats, path_m: Floats, fitted: Bools) -> Floats:
    mean, scale = told[fitted].mean(axis=0), told[fitted].std(axis=0)
    values = np.c_[(told - mean) / np.where(scale > 0, scale, 1.0), np.ones(len(told))]
    targets, known = path_m.reshape(len(path_m), -1), values[fitted]
    square = known.T @ known + _RIDGE * len(known) * np.eye(known.shape[1])
    weights = np.linalg.solve(square, known.T @ targets[fitted])
    made_m = (values[~fitted] @ weights).reshape(-1, *path_m.shape[1:])
    errors: Floats = np.abs(made_m - path_m[~fitted])
    return errors
