"""Losses over sigmoid scores: focal (Lin et al. 2017; soft targets as in quality focal loss) and RHLS."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def sigmoid_focal(logits: Tensor, target: Tensor, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    """Element-wise focal loss. Hard targets give Lin et al.'s −α_t (1 − p_t)^γ log p_t; a soft target y gives
    |y − p|^γ · BCE(p, y), which is the same thing at y ∈ {0, 1}."""
    p = torch.sigmoid(logits)
    loss = (target - p).abs() ** gamma * F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return loss if alpha is None else loss * (alpha * target + (1 - alpha) * (1 - target))


def robin_hood(target: Tensor, frequency: Tensor, beta: float) -> Tensor:
    """Robin Hood label smoothing (Tallec et al. 2023): only the majority class of each AU is smoothed.

    frequency (12,) is each AU's share of positives in the training set. Label smoothing y ← (1 − α) y + α/2
    applies with α = β (1 − 2f)/(1 − f) to negatives where f < ½, and with α = β (2f − 1)/f to positives where
    f > ½: at β = 1 both classes then hold the same label mass, at β = 0 nothing changes.
    """
    low = beta * ((1 - 2 * frequency) / (1 - frequency).clamp_min(1e-6)).clamp(0, 1)
    high = beta * ((2 * frequency - 1) / frequency.clamp_min(1e-6)).clamp(0, 1)
    alpha = torch.where(target < 0.5, low.expand_as(target), high.expand_as(target))
    return (1 - alpha) * target + alpha / 2


def frequencies(labels: np.ndarray) -> np.ndarray:
    """Share of positives per AU (12,) of 0/1 labels (N, 12), over coded ones (not −1)."""
    return ((labels > 0.5).sum(0) / np.maximum((labels >= 0).sum(0), 1)).astype(np.float32)


def branched(fused: Tensor, branches: list[Tensor], c: float) -> Tensor:
    """The Nguyen member's loss: [L_fused + c ΣL_branch] / (1 + 3c), over already reduced losses."""
    return (fused + c * torch.stack(branches).sum()) / (1 + len(branches) * c)
