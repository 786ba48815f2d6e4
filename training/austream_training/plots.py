"""Plots of the report."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from . import labels
from .synthetic.aus import NAMES


def courses(time: np.ndarray, scores: np.ndarray, reference: np.ndarray, aus: tuple[str, ...], title: str, file: Path) -> None:
    """Predicted and reference scores over time, one row per AU; both (T, 12)."""
    figure, axes = plt.subplots(len(aus), 1, figsize=(8, 0.9 * len(aus)), sharex=True, squeeze=False)
    for ax, name in zip(axes[:, 0], aus):
        k = NAMES.index(name)
        ax.fill_between(time, reference[:, k], color="0.8", lw=0)
        ax.plot(time, scores[:, k], lw=1.2)
        ax.set_ylim(0, 1.05)
        ax.set_yticks([0, 1])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1, 0].set_xlabel("seconds")
    axes[0, 0].set_title(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)


def calibration(intensity: np.ndarray, scores: np.ndarray, title: str, file: Path, bins: int = 10) -> None:
    """Calibration plot: share of active frames against score, one line per AU; nan intensities are ignored."""
    truth = intensity >= labels.ACTIVE
    figure, ax = plt.subplots(figsize=(4.5, 4.2))
    edges = np.linspace(0, 1, bins + 1)
    for k, name in enumerate(NAMES):
        slot = np.where(np.isnan(intensity[:, k]), -1, np.clip(np.digitize(scores[:, k], edges) - 1, 0, bins - 1))
        used = [b for b in range(bins) if (slot == b).sum() >= 20]
        ax.plot([scores[slot == b, k].mean() for b in used], [truth[slot == b, k].mean() for b in used], marker=".", lw=0.8, label=name)
    ax.plot([0, 1], [0, 1], color="0.6", lw=0.8)
    ax.set_xlabel("score")
    ax.set_ylabel("share of active frames")
    ax.set_title(title, fontsize=9)
    ax.legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)


def bars(rows: dict[str, list[float]], title: str, file: Path) -> None:
    """Grouped bars, one group per AU, one colour per row."""
    figure, ax = plt.subplots(figsize=(8, 3))
    x, width = np.arange(12), 0.8 / len(rows)
    for i, (label, values) in enumerate(rows.items()):
        ax.bar(x + i * width, [np.nan if v is None else v for v in values], width, label=label)
    ax.set_xticks(x + 0.4 - width / 2, NAMES)
    ax.set_ylim(0, 1)
    ax.legend(fontsize=7, loc="lower left")
    ax.set_title(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)
