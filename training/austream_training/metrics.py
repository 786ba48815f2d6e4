"""Metrics per AU: F1 pooled over frames, ROC AUC, average precision, calibration error, correlation."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def f1(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 of (N, A) booleans → (A,); 0 when neither contains a positive (scikit-learn's zero_division=0)."""
    hit = (truth & predicted).sum(0)
    total = truth.sum(0) + predicted.sum(0)
    return np.where(total > 0, 2 * hit / np.maximum(total, 1), 0.0)


def macro_f1(labels: np.ndarray, score: np.ndarray, threshold: float = 0.5) -> float:
    """Mean over the coded AUs of the F1 pooled over frames; labels (N, 12) are 0, 1 or −1 (not coded)."""
    each = [f1(l[c, None] > 0, s[c, None] >= threshold)[0] for l, s in zip(labels.T, score.T) if (c := l >= 0).any()]
    return float(np.mean(each))


def interval(truth: np.ndarray, predicted: np.ndarray, subject: np.ndarray, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the macro-F1 of (N, A) booleans, resampled over subjects (N,): errors on frames of one face
    are correlated, so thousands of frames may carry the information of a few."""
    _, index = np.unique(subject, return_inverse=True)
    hit, total = (np.zeros((index.max() + 1, truth.shape[1])) for _ in range(2))
    np.add.at(hit, index, truth & predicted)
    np.add.at(total, index, truth.astype(int) + predicted)
    drawn = np.random.default_rng(seed).multinomial(len(hit), np.full(len(hit), 1 / len(hit)), draws)
    macro = (2 * (drawn @ hit) / np.maximum(drawn @ total, 1)).mean(1)
    low, high = np.quantile(macro, [0.025, 0.975])
    return float(low), float(high)


def auc(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    return _each(roc_auc_score, truth, score)


def average_precision(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    return _each(average_precision_score, truth, score)


def _each(metric, truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    both = [0 < t.sum() < len(t) for t in truth.T]
    return np.array([metric(t, s) if ok else np.nan for t, s, ok in zip(truth.T, score.T, both)])


def calibration_error(truth: np.ndarray, score: np.ndarray, bins: int = 15) -> np.ndarray:
    """Expected calibration error (A,): the mean |confidence − frequency| over equal-width bins."""
    out = np.zeros(truth.shape[1])
    slot = np.minimum((score * bins).astype(int), bins - 1)
    for a in range(truth.shape[1]):
        for b in range(bins):
            m = slot[:, a] == b
            if m.any():
                out[a] += m.mean() * abs(score[m, a].mean() - truth[m, a].mean())
    return out


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r per column, nan when one side is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = a - a.mean(0), b - b.mean(0)
        return (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
