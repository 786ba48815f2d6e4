"""Gaussian smoothing of scores over time and the search for its width (paper: σ 3 frames, 51 taps)."""

from __future__ import annotations

import numpy as np

from . import metrics

KERNEL = 51  # taps: the paper's, and the product's unless configured otherwise


def smooth(scores: np.ndarray, sigma: float, kernel: int = KERNEL, causal: bool = True) -> np.ndarray:
    """Gaussian filter (T, A) → (T, A). Causal: only the past half of the kernel, renormalised at the start, no delay.
    Centred: the paper's filter, the whole kernel, renormalised at both ends."""
    half = kernel // 2
    taps = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * sigma**2))
    if causal:
        taps[:half] = 0  # np.convolve flips the kernel: taps[half + k] weighs the sample k frames ago
    mass = np.convolve(np.ones(len(scores)), taps, "full")[half : half + len(scores)]
    return np.stack([np.convolve(c, taps, "full")[half : half + len(scores)] for c in scores.T], 1) / mass[:, None]


def search(
    truth: list[np.ndarray], scores: list[np.ndarray], sigmas: tuple[float, ...], kernels: tuple[int, ...], causal: bool
) -> dict[tuple[float, int], float]:
    """Macro-F1 at threshold 0.5 for each (σ, kernel), from clips' labels (0, 1, −1) and scores. Use validation data
    only."""
    whole = np.concatenate(truth)
    return {
        (s, k): metrics.macro_f1(whole, np.concatenate([smooth(c, s, k, causal) for c in scores]))
        for s in sigmas
        for k in kernels
    }
