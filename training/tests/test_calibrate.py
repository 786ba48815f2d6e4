import numpy as np
import torch

from austream_training import calibrate, metrics
from austream_training.edge import EdgeModel


def test_platt_recovers_a_known_scale_and_shift():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (20000, 2))
    truth = rng.random(z.shape) < 1 / (1 + np.exp(-(z * [1.8, 0.8] + [-1.0, 0.5])))
    hidden = rng.random(z.shape) < 0.2  # of which nothing is known, whatever their scores
    scale, shift = calibrate.platt(z + 5 * hidden, np.where(hidden, np.nan, truth))
    np.testing.assert_allclose(scale, [1.8, 0.8], atol=0.1)
    np.testing.assert_allclose(shift, [-1.0, 0.5], atol=0.1)


def test_folding_scales_the_logits():
    torch.manual_seed(0)
    model = EdgeModel().eval()
    e = torch.randn(1, 256, 448)
    with torch.no_grad():
        before = model.vivit.score(e[..., :128]), model.nguyen.score(e[..., 128:])[0]
        scale, shift = np.linspace(0.5, 2, 12), np.linspace(-1, 1, 12)
        calibrate.fold(model, [scale, scale[::-1].copy()], [shift, -shift])
        after = model.vivit.score(e[..., :128]), model.nguyen.score(e[..., 128:])[0]
    t = lambda x: torch.from_numpy(x).float()  # noqa: E731
    assert torch.allclose(after[0], before[0] * t(scale) + t(shift), atol=1e-4)
    assert torch.allclose(after[1], before[1] * t(scale[::-1].copy()) - t(shift), atol=1e-4)


def test_the_best_f1_lands_at_one_half():
    """A timid detector of a rare class: its best F1 lies far below 0.5, and after the shift at 0.5."""
    rng = np.random.default_rng(1)
    truth = rng.random((4000, 3)) < 0.1
    z = rng.normal(0, 1, truth.shape) + 1.8 * truth - 3
    whole = slice(0, 4000)
    hidden = rng.random(truth.shape) < 0.2
    shift = calibrate.best_shift([z + 9 * hidden] * 2, np.where(hidden, np.nan, truth), [whole])
    at_half = metrics.f1(truth, z + shift >= 0)
    best = np.max([metrics.f1(truth, z >= t) for t in np.arange(-4, 1, 0.05)], 0)
    assert (shift > 0.5).all() and (at_half > best - 0.02).all()
