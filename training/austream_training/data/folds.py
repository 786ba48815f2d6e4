"""K folds without common subjects and with similar shares of every AU."""

from __future__ import annotations

import numpy as np


def by_subject(subjects: list[str], labels: list[np.ndarray], k: int, seed: int = 0) -> list[np.ndarray]:
    """Video indices per fold. Greedy: subjects with most frames first, each into the fold whose label counts stay closest
    to an equal share. Raises ValueError when there are fewer subjects than folds."""
    people = sorted(set(subjects))
    if len(people) < k:
        raise ValueError(f"{len(people)} subjects cannot make {k} folds")
    mass = {p: np.zeros(13) for p in people}
    for s, l in zip(subjects, labels):
        mass[s] += np.r_[(l > 0).sum(0), len(l)]
    total = sum(mass.values())
    order = np.random.default_rng(seed).permutation(people)
    held, fold_of = np.zeros((k, 13)), {}
    for rank, p in enumerate(sorted(order, key=lambda p: -mass[p][-1])):
        cost = [(((held + mass[p] * (np.arange(k) == f)[:, None]) / np.maximum(total, 1)) ** 2).sum() for f in range(k)]
        fold = rank if rank < k else int(np.argmin(cost))
        held[fold] += mass[p]
        fold_of[p] = fold
    return [np.array([i for i, s in enumerate(subjects) if fold_of[s] == f]) for f in range(k)]
