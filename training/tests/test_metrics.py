import numpy as np
from sklearn.metrics import f1_score

from austream_training import metrics


def sample(seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random((500, 12)) < np.linspace(0.0, 0.6, 12)
    score = np.clip(truth * 0.3 + rng.random((500, 12)) * 0.7, 0, 1)
    return truth, score


def test_f1_equals_scikit_learn():
    truth, score = sample()
    expected = f1_score(truth, score >= 0.5, average=None, zero_division=0)
    np.testing.assert_allclose(metrics.f1(truth, score >= 0.5), expected, atol=1e-12)


def test_the_interval_contains_the_macro_f1_and_narrows_with_more_subjects():
    truth, score = sample()
    truth, score = truth[:, 1:], score[:, 1:]
    macro = metrics.f1(truth, score >= 0.5).mean()
    widths = []
    for subjects in (5, 250):
        low, high = metrics.interval(truth, score >= 0.5, np.arange(500) % subjects)
        assert low < macro < high
        widths.append(high - low)
    # within a fifth of the standard deviation of 200 explicit resamples
    rng, rows = np.random.default_rng(1), np.arange(500).reshape(2, 250).T
    picks = [rows[rng.integers(250, size=250)].ravel() for _ in range(200)]
    spread = np.std([metrics.f1(truth[i], score[i] >= 0.5).mean() for i in picks])
    assert 0.8 < widths[1] / (2 * 1.96 * spread) < 1.25
    assert metrics.interval(truth, score >= 0.5, np.zeros(500)) == (macro, macro)  # no variance with a single subject


def test_auc_is_nan_without_both_classes():
    truth, score = sample()
    got = metrics.auc(truth, score)
    assert np.isnan(got[0]) and np.all(got[1:] > 0.5)


def test_calibration_by_hand():
    truth = np.array([[1], [0], [1], [1]], bool)
    score = np.array([[0.9], [0.9], [0.1], [0.1]])
    # bin of 0.9: |0.9 − 0.5|, bin of 0.1: |0.1 − 1|, half the samples each
    np.testing.assert_allclose(metrics.calibration_error(truth, score, bins=5), [(0.4 + 0.9) / 2])


def test_correlation_equals_numpy():
    rng = np.random.default_rng(1)
    a, b = rng.random((50, 3)), rng.random((50, 3))
    expected = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(metrics.correlation(a, b), expected)


def test_uncoded_aus_are_ignored():
    labels = np.array([[1, -1, 0], [0, -1, -1], [1, -1, 1]])
    score = np.array([[0.9, 0.9, 0.9], [0.1, 0.9, 0.9], [0.9, 0.9, 0.9]])
    # AU a: 1; b: not coded at all; c: two coded frames, one hit, one false alarm: 2/3
    np.testing.assert_allclose(metrics.macro_f1(labels, score), (1 + 2 / 3) / 2)
