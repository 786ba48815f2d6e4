"""Learning rate schedules in closed form: resuming needs no scheduler state."""

from __future__ import annotations

import math


def warm_restarts(step: float, period: float, lr: float, least: float = 0.0, growth: float = 1.0) -> float:
    """Cosine annealing with warm restarts (SGDR, Loshchilov & Hutter 2017, eq. 5): each cycle decays from lr to
    `least` over its period; the next cycle is `growth` times as long."""
    while step >= period:
        step -= period
        period *= growth
    return least + 0.5 * (lr - least) * (1 + math.cos(math.pi * step / period))


def one_cosine(share: float, lr: float, warmup: float = 0.02) -> float:
    """A linear warm-up over the first `warmup` of the run, then one cosine to zero; share in 0…1."""
    return lr * min(1.0, (share + 1e-9) / warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
