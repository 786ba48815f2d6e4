"""Ablation of the paper's parts on the synthetic set, small enough for a CPU: a small head on the frame encoder's
cached, pooled features, trained from several seeds and evaluated per frame on clips of held-out people.

Covers Robin Hood label smoothing, 5-fold averaging over people and temporal smoothing. report.py evaluates the shipped
members and their ensemble.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import labels, losses, metrics
from .data import folds
from .edge import EDGE
from .report import smoothed

BETAS = (0.0, 0.1, 0.25, 0.5, 1.0)


class Pooled:
    """Of one or more cached sets: pooled features (N, C), active AUs (N, 12), whether a label is exact (N, 12), people (N,)."""

    def __init__(self, folder: Path, *names: str):
        load = lambda kind: [np.load(folder / f"{n}-{kind}.npy", mmap_mode="r") for n in names]  # noqa: E731
        width = EDGE["widths"][-1]
        self.x = torch.from_numpy(np.concatenate([e[:, -width:].astype(np.float32) for e in load("embeddings")]))
        self.active, self.known = np.concatenate(load("labels")) >= labels.ACTIVE, np.concatenate(load("weights")) == 1
        self.people = np.concatenate(load("groups"))


def fit(train: Pooled, rows: np.ndarray, beta: float, seed: int, epochs: int = 6, gamma: float = 2.0) -> nn.Module:
    """Trains a head: focal loss on hard labels with Robin Hood smoothing, AdamW, one cosine cycle."""
    torch.manual_seed(seed)
    head = nn.Sequential(nn.Linear(train.x.shape[1], 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 12))
    y = torch.from_numpy(train.active[rows].astype(np.float32))
    target = losses.robin_hood(y, torch.from_numpy(losses.frequencies(train.active[rows].astype(np.int8))), beta)
    x, batch = train.x[rows], 512
    steps = epochs * max(1, len(rows) // batch)
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        pick = torch.randint(len(rows), (batch,))
        loss = losses.sigmoid_focal(head(x[pick]), target[pick], gamma).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()


@torch.no_grad()
def read(head: nn.Module, s: Pooled) -> np.ndarray:
    return torch.sigmoid(head(s.x)).numpy()


def run(embeddings: Path, seeds: int = 3, k: int = 5) -> dict[str, list[float]]:
    """Row → macro-F1 at threshold 0.5 on clips of the test people, one per seed. Later rows use the β that is best on
    validation."""
    train, val, test = (Pooled(embeddings, *n) for n in (("0/stills-train-augmented", "0/sparse-train-augmented"), ("clips-val",), ("clips-test",)))
    whole, out, chosen = np.arange(len(train.x)), {}, {}
    f1 = lambda s, p: float(metrics.f1(s.active & s.known, (p >= 0.5) & s.known).mean())  # noqa: E731
    heads = {(b, seed): fit(train, whole, b, seed) for b in BETAS for seed in range(seeds)}
    for b in BETAS:
        out[f"one head, RHLS β {b}"] = [f1(test, read(heads[b, s], test)) for s in range(seeds)]
        chosen[b] = np.mean([f1(val, read(heads[b, s], val)) for s in range(seeds)])
    best = max(chosen, key=chosen.get)
    people = [str(p) for p in np.unique(train.people)]
    rows_of = [np.flatnonzero(train.people == int(p)) for p in people]
    rows: dict[str, list[float]] = {"folds": [], "causal": [], "centred": [], "one, causal": [], "one, centred": []}
    for seed in range(seeds):
        parts = folds.by_subject(people, [train.active[r].astype(np.int8) for r in rows_of], k, seed)
        scores = []
        for f in range(k):
            kept = np.concatenate([rows_of[i] for g, part in enumerate(parts) if g != f for i in part])
            scores.append(read(fit(train, kept, best, 100 * seed + f), test))
        one, mean = read(heads[best, seed], test), np.mean(scores, 0)
        rows["folds"].append(f1(test, mean))
        for name, p in (("", mean), ("one, ", one)):
            rows[f"{name}causal"].append(f1(test, smoothed(p, 3, True)))
            rows[f"{name}centred"].append(f1(test, smoothed(p, 3, False)))
    out[f"one head, RHLS β {best} (chosen on validation), causal smoothing"] = rows["one, causal"]
    out[f"one head, RHLS β {best}, centred smoothing"] = rows["one, centred"]
    out[f"mean of {k} folds' heads, RHLS β {best}"] = rows["folds"]
    out[f"mean of {k} folds' heads, causal smoothing"] = rows["causal"]
    out[f"mean of {k} folds' heads, centred smoothing"] = rows["centred"]
    return out


def table(rows: dict[str, list[float]]) -> str:
    lines = ["| row | macro-F1 | spread over seeds |", "|---|---|---|"]
    return "\n".join(lines + [f"| {n} | {np.mean(v):.3f} | {min(v):.3f}–{max(v):.3f} |" for n, v in rows.items()])
