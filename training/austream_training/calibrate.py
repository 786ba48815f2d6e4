"""Calibration folded into the weights: afterwards 0.5 is every AU's own threshold.

Two steps per AU on validation people. Platt scaling of each member (scale and shift of its logits) undoes what soft
targets and averaging leave too timid; then one shift for both members puts the ensemble's best F1 at 0.5. The F1 of
a detector with calibrated probabilities peaks at a threshold of F1/2, so that the second step matters most for the
weakest AUs; it makes their scores a little larger than probabilities.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from . import labels, metrics
from .edge import EdgeModel


def platt(z: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and intensities (N, A), nan where not known → scale, shift (A,). The scale stays in 0.5…2: a weak AU must
    not turn around, and scores that saturate no longer follow an intensity."""
    scale, shift = np.ones(z.shape[1]), np.zeros(z.shape[1])
    for a in range(z.shape[1]):
        known = ~np.isnan(intensity[:, a])
        x, truth = z[known, a], intensity[known, a] >= labels.ACTIVE
        if not 0 < truth.sum() < len(truth):
            continue
        fitted = LogisticRegression(C=1e4).fit(x[:, None], truth)
        scale[a] = np.clip(fitted.coef_[0, 0], 0.5, 2.0)
        # the shift again, with the scale as it is now
        low, high = -12.0, 12.0
        for _ in range(40):
            shift[a] = (low + high) / 2
            mean = (1 / (1 + np.exp(-(scale[a] * x + shift[a])))).mean()
            low, high = (shift[a], high) if mean < truth.mean() else (low, shift[a])
    return scale, shift


def best_shift(members: list[np.ndarray], intensity: np.ndarray, parts: list[slice]) -> np.ndarray:
    """The shift (A,) of both members' logits at which the mean F1 of the ensemble over `parts` (so that many clips
    do not drown few stills) is highest at 0.5; of near-equal ones (within 0.005) the smallest."""
    grid = np.arange(-1.5, 2.51, 0.1)
    truth, known = intensity >= labels.ACTIVE, ~np.isnan(intensity)
    table = np.zeros((len(grid), members[0].shape[1]))
    for g, shift in enumerate(grid):
        p = np.mean([1 / (1 + np.exp(-(z + shift))) for z in members], 0)
        table[g] = np.mean([metrics.f1(truth[s], (p[s] >= 0.5) & known[s]) for s in parts], 0)
    good = table >= table.max(0) - 0.005
    return grid[np.where(good, np.abs(grid)[:, None], np.inf).argmin(0)]


@torch.no_grad()
def fold(model: EdgeModel, scales: list[np.ndarray], shifts: list[np.ndarray]) -> None:
    """Scales and shifts the logits of the two members, in place."""
    for layer, scale, shift in zip((model.vivit.head, model.nguyen.fusion[2]), scales, shifts):
        s = torch.from_numpy(scale).float()
        layer.weight.mul_(s[:, None])
        layer.bias.mul_(s).add_(torch.from_numpy(shift).float())


def calibrate(model: EdgeModel, scores: list[np.ndarray], intensity: np.ndarray, parts: list[slice]) -> None:
    """`scores` of the two members (N, 12) on validation data, sigmoid, and what was true of it (`CropSet.truth`); folds
    the calibration into `model`."""
    logits = [np.log(p / (1 - p)) for p in (np.clip(s.astype(np.float64), 1e-6, 1 - 1e-6) for s in scores)]
    fits = [platt(z, intensity) for z in logits]
    scaled = [z * a + b for z, (a, b) in zip(logits, fits)]
    common = best_shift(scaled, intensity, parts)
    fold(model, [a for a, _ in fits], [b + common for _, b in fits])
