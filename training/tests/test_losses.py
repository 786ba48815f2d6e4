import math

import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from austream_training import losses


def test_focal_equals_torchvision_on_hard_targets():
    logits = torch.linspace(-6, 6, 41)
    for y in (0.0, 1.0):
        target = torch.full_like(logits, y)
        for gamma in (0.0, 1.0, 2.0, 3.5):
            expected = sigmoid_focal_loss(logits, target, alpha=0.25, gamma=gamma, reduction="none")
            assert torch.allclose(losses.sigmoid_focal(logits, target, gamma, alpha=0.25), expected, atol=1e-6)


def test_focal_by_hand():
    # p = 0.5: |1 − 0.5|² · ln 2
    got = losses.sigmoid_focal(torch.zeros(1), torch.ones(1), gamma=2.0).item()
    assert got == pytest.approx(0.25 * math.log(2), abs=1e-7)


def test_soft_focal_is_zero_only_at_its_target():
    target = torch.tensor([0.3])
    at = torch.logit(target)
    assert losses.sigmoid_focal(at, target).item() == pytest.approx(0, abs=1e-7)
    assert losses.sigmoid_focal(at + 1, target).item() > 1e-3
    assert losses.sigmoid_focal(at - 1, target).item() > 1e-3


def test_robin_hood_by_hand():
    # f = 0.2, β = 1: negatives get α = 0.6/0.8 = 0.75 → 0.375, so 0.8·0.375 + 0.2·1 = 0.5: equal mass.
    y = torch.tensor([[0.0], [1.0]])
    out = losses.robin_hood(y, torch.tensor([0.2]), beta=1.0)
    assert torch.allclose(out, torch.tensor([[0.375], [1.0]]))
    # f = 0.8: positives are the majority. α = 0.6/0.8 → 0.25 + 0.375.
    out = losses.robin_hood(y, torch.tensor([0.8]), beta=1.0)
    assert torch.allclose(out, torch.tensor([[0.0], [0.625]]))
    # β scales it; β = 0 and a balanced AU change nothing.
    assert torch.allclose(losses.robin_hood(y, torch.tensor([0.2]), beta=0.4)[0], torch.tensor([0.15]))
    assert torch.equal(losses.robin_hood(y, torch.tensor([0.2]), beta=0.0), y)
    assert torch.equal(losses.robin_hood(y, torch.tensor([0.5]), beta=1.0), y)


def test_robin_hood_balances_any_frequency():
    rng = np.random.default_rng(0)
    labels = (rng.random((4000, 12)) < np.linspace(0.03, 0.95, 12)).astype(np.float32)
    f = torch.from_numpy(losses.frequencies(labels))
    out = losses.robin_hood(torch.from_numpy(labels), f, 1.0)
    assert torch.allclose(out.mean(0), torch.full((12,), 0.5), atol=1e-5)


def test_branched_weights_sum_to_one():
    one = torch.tensor(1.0)
    assert losses.branched(one, [one, one, one], c=0.4).item() == pytest.approx(1)
    assert losses.branched(torch.tensor(2.0), [one] * 3, c=0.5).item() == pytest.approx((2 + 1.5) / 2.5)
