"""Calibration folded into the weights: afterwards 0.5 is every AU's own threshold.

One shift of each AU's logits, the same for both members, puts the ensemble's best F1 on validation people's clips at 0.5.
The F1 of a detector with calibrated probabilities peaks at a threshold of F1/2, so that the scores of weak AUs become a
little larger than probabilities. Logits are not scaled: it made no score more right, and saturated ones follow real faces
less far (REPORT.md).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit, logit

from . import labels, metrics
from .edge import EdgeModel

GRID = np.arange(-2, 2.51, 0.1)


def shifted(members: list[np.ndarray], shift: np.ndarray | float) -> np.ndarray:
    """The ensemble's scores (N, 12) once the logits of its members' scores, (N, 12) each, are shifted."""
    return _ensemble(_logits(members), shift)


def best_shift(members: list[np.ndarray], intensity: np.ndarray) -> np.ndarray:
    """The shift (A,) of the members' logits at which the F1 of the ensemble is highest at 0.5; of near-equal ones (within
    0.005) the smallest. Intensities (N, A) are nan where not known."""
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
