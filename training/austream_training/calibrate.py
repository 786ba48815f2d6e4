"""Calibration folded into the weights: afterwards the best threshold of every AU is 0.5.

One shift per AU, the same for both members' logits, moves the ensemble's best F1 on validation people's clips to 0.5. The
F1 of calibrated probabilities peaks at a threshold of F1/2, so scores of weak AUs become a little larger than
probabilities. Logits are not scaled: scaling improved no score, and saturated logits follow real faces less
(REPORT.md).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit, logit

from . import labels, metrics
from .edge import EdgeModel

GRID = np.arange(-2, 2.51, 0.1)


def shifted(members: list[np.ndarray], shift: np.ndarray | float) -> np.ndarray:
    """The ensemble's scores (N, 12) after shifting the logits of its members' scores, (N, 12) each."""
    return _ensemble(_logits(members), shift)


def best_shift(members: list[np.ndarray], intensity: np.ndarray) -> np.ndarray:
    """The shift (A,) of the members' logits that maximises the ensemble's F1 at 0.5; among near-equal shifts (within
    0.005) the smallest. Intensities (N, A) are nan where unknown."""
    truth, known, logits = intensity >= labels.ACTIVE, ~np.isnan(intensity), _logits(members)
    table = np.array([metrics.f1(truth, (_ensemble(logits, shift) >= 0.5) & known) for shift in GRID])
    good = table >= table.max(0) - 0.005
    return GRID[np.where(good, np.abs(GRID)[:, None], np.inf).argmin(0)]


def _logits(members: list[np.ndarray]) -> np.ndarray:
    return logit(np.clip(np.stack(members, dtype=np.float64), 1e-6, 1 - 1e-6))


def _ensemble(logits: np.ndarray, shift: np.ndarray | float) -> np.ndarray:
    return expit(logits + shift).mean(0)


@torch.no_grad()
def fold(model: EdgeModel, shift: np.ndarray) -> None:
    """Shifts the logits of both members, in place."""
    for layer in (model.vivit.head, model.nguyen.fusion[2]):
        layer.bias.add_(torch.from_numpy(shift).float())
