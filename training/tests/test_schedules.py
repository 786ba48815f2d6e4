import pytest
import torch

from austream_training import schedules, smoothing
import numpy as np
from scipy.ndimage import gaussian_filter1d


def test_warm_restarts_equal_torch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.9)
    reference = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2, eta_min=0.01)
    for step in range(80):
        assert schedules.warm_restarts(step, 10, 0.9, 0.01, growth=2) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        reference.step()


def test_one_cosine_rises_then_ends_at_zero():
    assert schedules.one_cosine(0.01, 1.0) < 0.51
    assert schedules.one_cosine(0.5, 1.0) == pytest.approx(0.5)
    assert schedules.one_cosine(1.0, 1.0) == pytest.approx(0)


def test_centred_smoothing_equals_scipy_inside():
    x = np.random.default_rng(0).random((200, 3))
    expected = gaussian_filter1d(x, 3, axis=0, truncate=25 / 3)
    np.testing.assert_allclose(smoothing.smooth(x, 3, 51, causal=False)[25:-25], expected[25:-25], atol=1e-12)


def test_causal_smoothing_by_brute_force():
    x = np.random.default_rng(1).random((60, 2))
    for t in range(60):
        k = np.arange(0, min(t, 25) + 1)
        w = np.exp(-(k**2) / 18)
        np.testing.assert_allclose(smoothing.smooth(x, 3, 51)[t], (w[:, None] * x[t - k]).sum(0) / w.sum(), atol=1e-12)
