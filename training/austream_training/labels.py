"""AU intensities, soft targets and classes: one definition of 'active' for data, training and reports."""

from __future__ import annotations

import numpy as np

ACTIVE = 0.3  # intensity from which an AU counts as active (about FACS B)
_SOFT = 0.09


def targets(intensity: np.ndarray) -> np.ndarray:
    """Soft presence in 0…1: 0 at rest, 0.5 at ACTIVE, near 1 from an intensity of 0.6."""
    rise = 1 / (1 + np.exp((ACTIVE - intensity) / _SOFT))
    floor = 1 / (1 + np.exp(ACTIVE / _SOFT))
    return np.clip((rise - floor) / (1 - floor), 0, 1).astype(np.float32)


def truth(intensity: np.ndarray, trust: np.ndarray, real: bool) -> np.ndarray:
    """Reference intensities (N, 12) for evaluation; nan where the label is not exact or the AU is hidden. For photographs
    (`real`): all labels of the landmark model."""
    return intensity if real else np.where(trust == 1, intensity, np.nan)


def rarity_weights(intensity: np.ndarray) -> np.ndarray:
    """Loss weight per AU (12,): larger for rare AUs, equal for active and inactive labels, so that scores stay
    probabilities."""
    common = (intensity >= ACTIVE).mean(0)
    return np.clip(np.sqrt(common.mean() / np.maximum(common, 1e-3)), 0.7, 2.0).astype(np.float32)
