import numpy as np
import torch

from austream_training import calibrate, metrics
from austream_training.edge import EdgeModel


def test_folding_shifts_the_logits_by_the_given_amounts():
    torch.manual_seed(0)
    model = EdgeModel().eval()
    e, shift = torch.randn(1, 256, 448), np.linspace(-1, 1, 12)
    score = lambda: [model.vivit.score(e[..., :128])[0], model.nguyen.score(e[..., 128:])[0][0]]  # noqa: E731
    with torch.no_grad():
        before = score()
        calibrate.fold(model, shift)
        after = score()
    for a, b in zip(before, after):
        assert torch.allclose(b, a + torch.from_numpy(shift).float(), atol=1e-4)
    reckoned = calibrate.shifted([torch.sigmoid(z).numpy() for z in before], shift)
    np.testing.assert_allclose(reckoned, torch.stack(after).sigmoid().mean(0).numpy(), atol=1e-5)


def test_the_best_f1_lands_at_one_half():
    """The best F1 of an underconfident detector of a rare class is far below 0.5, and at 0.5 after the shift."""
    rng = np.random.default_rng(1)
    truth = rng.random((4000, 3)) < 0.1
    z = rng.normal(0, 1, truth.shape) + 1.8 * truth - 3
    hidden = rng.random(truth.shape) < 0.2  # unknown labels, with any scores
    p = 1 / (1 + np.exp(-(z + 9 * hidden)))
    shift = calibrate.best_shift([p, p], np.where(hidden, np.nan, truth))
    at_half = metrics.f1(truth, calibrate.shifted([1 / (1 + np.exp(-z))] * 2, shift) >= 0.5)
    best = np.max([metrics.f1(truth, z >= t) for t in np.arange(-4, 1, 0.05)], 0)
    assert (shift > 0.5).all() and (at_half > best - 0.02).all()
