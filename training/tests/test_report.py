from pathlib import Path

import numpy as np
import torch

from austream_training import calibrate, field, metrics, real, report
from austream_training.edge import EdgeModel
from austream_training.synthetic import dataset, head


def test_clips_are_scored_as_they_are_streamed():
    """40 frames: the first 16 come from a window padded with the first frame, the last 8 from the newest window."""
    torch.manual_seed(0)
    model = EdgeModel().eval()
    e = torch.randn(40, 448)
    got = report.scores(model, e, moving=True)["ensemble"]
    with torch.no_grad():
        first = model.score(torch.cat([e[:1].expand(240, -1), e[:16]])[None])[0, -16:]
        last = model.score(torch.cat([e[:1].expand(216, -1), e])[None])[0, -8:]
    assert got.shape == (40, 12)
    np.testing.assert_allclose(got[:16], first, atol=1e-5)
    np.testing.assert_allclose(got[32:], last, atol=1e-5)


def test_a_window_slides_over_a_long_clip_and_restarts_with_the_next():
    torch.manual_seed(0)
    model = EdgeModel().eval()
    e = torch.randn(320, 448)
    long, short = (report.scores(model, e, moving=True, clip=n)["ensemble"] for n in (320, 288))
    with torch.no_grad():
        slid = model.score(e[64:][None])[0, -16:]
        anew = model.score(torch.cat([e[288:289].expand(224, -1), e[288:]])[None])[0, -16:]
    np.testing.assert_allclose(long[304:], slid, atol=1e-5)
    np.testing.assert_allclose(short[304:], anew, atol=1e-5)
    np.testing.assert_allclose(short[:288], long[:288], atol=1e-5)


def test_stills_are_scored_one_by_one():
    torch.manual_seed(0)
    model = EdgeModel().eval()
    e = torch.randn(20, 448)
    got = report.scores(model, e, moving=False)["ensemble"]
    with torch.no_grad():
        expected = model.score(e[17:18].expand(256, -1)[None])[0, -1]
    assert got.shape == (20, 12)
    np.testing.assert_allclose(got[17], expected, atol=1e-5)


def test_splits_are_disjoint():
    parts = [set(dataset.held(874, p)) for p in ("train", "val", "test")]
    assert sum(map(len, parts)) == 874 and len(set.union(*parts)) == 874 and len(parts[0]) == 700


def test_alignment_brings_keypoints_to_the_template():
    """Four dots at the keypoints of a small, rotated face must be at the template's points in the crop."""
    picture = np.zeros((300, 400, 3), np.uint8)
    a = np.radians(25)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) * 1.2
    points = head.TEMPLATE @ turn.T + [160, 60]
    for x, y in points:
        picture[int(round(y)) - 2 : int(round(y)) + 3, int(round(x)) - 2 : int(round(x)) + 3] = 255
    crop = real.align(picture, points)
    for x, y in head.TEMPLATE:
        assert crop[int(round(y)), int(round(x)), 0] > 200
    assert (crop > 100).sum() / 3 < 100


def test_brow_measurements_are_invariant_to_rotation_and_scale():
    rng = np.random.default_rng(0)
    points = np.tile(rng.random((1, 478, 2)) * 50, (4, 1, 1))
    points[:, [33, 133, 362, 263]] = [[0, 50], [10, 50], [30, 50], [40, 50]]
    points[:, [107, 55, 336, 285]] = [[13, 40], [13, 40], [27, 40], [27, 40]]
    points[:, [105, 70, 334, 300]] = [[3, 40], [3, 40], [37, 40], [37, 40]]
    points[1, [107, 55, 336, 285], 1] -= 4  # raised inner ends,
    points[2, [105, 70, 334, 300], 1] -= 4  # raised outer ends,
    points[3, [107, 55], 0] += 2  # knitted brows
    points[3, [336, 285], 0] -= 2
    turn = 3 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    for seen in (points, points @ turn.T + 100):
        got = field.brows(seen)
        np.testing.assert_allclose(got["au01"], [0.25, 0.35, 0.25, 0.25], atol=1e-9)
        np.testing.assert_allclose(got["au02"], [0.25, 0.25, 0.35, 0.25], atol=1e-9)
        np.testing.assert_allclose(got["au04"] - got["au04"][0], [0, -0.1, 0, 0.1], atol=1e-9)


def test_metrics_by_face_size_use_the_crops_of_each_size(monkeypatch):
    """Two moments, one with every AU: correct scores at the three larger sizes, inverted at the two smaller ones."""
    truth = np.repeat([[1.0] * 12, [0.0] * 12], 5, axis=0)
    right = np.tile([[True], [True], [True], [False], [False]], (2, 12))
    p = np.where(right, truth, 1 - truth)
    monkeypatch.setattr(field, "embed", lambda model, stills: None)
    monkeypatch.setattr(field, "scores", lambda model, e, moving: {"ensemble": p})
    rows = field.by_size(None, type("Stills", (), {"truth": truth})).splitlines()[2:]
    assert [r.split(" | ")[-2:] for r in rows] == [["1.000", "1.000 |"]] * 3 + [["0.000", "0.000 |"]] * 2
    assert rows[0].startswith("| 112 | 35 | 2 ") and rows[-1].startswith("| 28 | 9 | 2 ")


def test_a_fair_set_has_its_own_rows_for_clips_and_stills(monkeypatch):
    """Clips of two heads with correct scores, stills of three heads with inverted scores."""
    truth = np.repeat([[0.0] * 12, [1.0] * 12], 256, axis=0)
    held = {"clips-test": type("Clips", (), {"truth": truth, "groups": np.repeat([4, 9], 256)})}
    held["stills-test"] = type("Stills", (), {"truth": truth[::8], "groups": np.arange(64) % 3, "__len__": lambda self: 64})()
    monkeypatch.setattr(field, "CropSet", lambda folder: held[folder.name])
    monkeypatch.setattr(field, "embed", lambda model, s, index=None: s)
    monkeypatch.setattr(field, "scores", lambda model, s, moving: {"ensemble": 1 - s.truth})
    monkeypatch.setattr(field, "stream_scores", lambda model, s: s.truth)
    rows = field.fair_table(None, Path("fair")).splitlines()
    assert rows[0] == "| AU | 2 clips f1 | clips auc | stills of 3 heads f1 | stills auc |"
    assert rows[2] == "| au01 | 1.000 | 1.000 | 0.000 | 0.000 |" and rows[-1] == "| macro | 1.000 | 1.000 | 0.000 | 0.000 |"


def test_borderline_intensities_can_be_excluded():
    """Of four frames only the two near the threshold are wrong."""
    intensity = np.tile([[0.9], [0.0], [0.35], [0.2]], (1, 12))
    p = np.tile([[0.9], [0.1], [0.1], [0.9]], (1, 12))
    np.testing.assert_allclose(report.clear_f1(intensity, p), 1)
    np.testing.assert_allclose(metrics.f1(intensity >= 0.3, p >= 0.5), 0.5)


def test_unknown_labels_are_ignored():
    """Four frames with correct scores, apart from two with unknown AU1 and inverted scores."""
    intensity, p = np.tile([[0.9], [0.0], [0.9], [0.0]], (1, 12)), np.tile([[0.9], [0.1], [0.9], [0.1]], (1, 12))
    p[2:, 0] = [0.1, 0.9]
    known = intensity.copy()
    known[2:, 0] = np.nan
    assert report.figures(intensity, p)["f1"][0] == 0.5 and report.headline(known, p) == "1.000 | 1.000"
    assert report.figures(known, p)["f1"] == report.figures(known, p)["auc"] == [1.0] * 12
    assert report.clear_f1(known, p) == 1 and report.clear_f1(intensity, p) < 1


def test_sigma_is_chosen_on_the_validation_clips():
    """Slow, noisy activations need a wide filter, quick, clean ones a narrow one; unknown labels are ignored."""
    rng, t = np.random.default_rng(0), np.arange(2 * report.WINDOW)[:, None]
    for period, noise, wanted in ((128, 0.8, 5.0), (8, 0.0, 1.0)):
        truth = np.repeat((t // period % 2).astype(np.float32), 12, 1)
        raw = np.clip(truth + rng.normal(0, noise, truth.shape), 0, 1)
        raw[:, 0], truth[:, 0] = 1 - truth[:, 0], np.nan
        model = EdgeModel()
        before = model.vivit.head.bias.clone()
        report.calibrate(model, [raw, raw], truth)
        assert model.sigma["causal"] == wanted
        assert max(report.by_sigma(truth, raw).values()) > 0.8
        np.testing.assert_allclose((model.vivit.head.bias - before).detach(), calibrate.best_shift([raw, raw], truth), atol=1e-5)


def test_validation_uses_the_clips_of_every_set(monkeypatch):
    class Crops:
        def __init__(self, folder):
            self.truth = np.full(({"a/clips-val": 512, "b/clips-val": 256}[str(folder)], 12), 0.4)

    monkeypatch.setattr(report, "CropSet", Crops)
    monkeypatch.setattr(report, "embed", lambda model, s: s.truth)
    monkeypatch.setattr(report, "scores", lambda model, e, moving: {"regnet-vit": e * len(e), "nguyen": -e, "ensemble": None})
    (first, second), truth = report.validation(None, [Path("a"), Path("b")])
    np.testing.assert_array_equal(first, truth * np.repeat([[512], [256]], [512, 256], 0))
    np.testing.assert_array_equal(second, -truth)


def test_sampling_indices_spread_evenly():
    assert report.sample_indices(10, None).tolist() == list(range(10)) and report.sample_indices(10, 4).tolist() == [0, 3, 6, 9]
    assert np.isnan(metrics.correlation(np.zeros((5, 1)), np.ones((5, 1))))[0]


def test_people_fall_into_groups(tmp_path):
    assert field.tone_terciles({3: 10.0, 5: 55.0, 8: 30.0}) == {5: "lightest", 8: "middle", 3: "darkest"}
    table = tmp_path / "sexes.csv"
    table.write_text("bioguide,gender\nA000001,F\nB000002,M\nC000003,\n")
    files = np.array(["A000001.jpg", "B000002.jpg", "C000003.jpg", "D000004.jpg"])
    assert field.sexes(table, files, np.arange(4)) == {0: "women", 1: "men"}
