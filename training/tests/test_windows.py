import copy

import numpy as np
import pytest
import torch

from austream_training import windows
from austream_training.edge import EdgeModel
from austream_training.frames import disable_temporal


def embedding_set(folder, name, n, heads=1, seed=0):
    rng = np.random.default_rng(seed)
    np.save(folder / f"{name}-embeddings.npy", np.abs(rng.normal(0, 1, (n, 448))).astype(np.float16))
    np.save(folder / f"{name}-labels.npy", rng.random((n, 12)).astype(np.float32))
    np.save(folder / f"{name}-weights.npy", np.ones((n, 12), np.float32))
    np.save(folder / f"{name}-groups.npy", np.repeat(np.arange(heads), n // heads))
    return windows.EmbeddingSet(folder, name)


def test_a_clip_never_leaves_its_own_frames_and_moves_steadily(tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "hold_expression", lambda at, active, rng: at)
    clips = embedding_set(tmp_path, "clips-train", 512)
    sparse = embedding_set(tmp_path, "sparse-train", 256)
    sampler = windows.Sampler([clips, sparse], [clips], [clips], 0)
    for _ in range(200):
        p = sampler.clip()
        n = 256 // p.source.stride
        assert len(p.crops) == n and p.crops[0] // n == p.crops[-1] // n
        assert p.course.shape == (256,) and 0 <= p.course.min() and p.course.max() <= n - 1
        assert np.abs(np.diff(p.course)).max() <= 2 / p.source.stride + 1e-9


def test_an_expression_may_outlast_the_window(tmp_path):
    at, active = np.arange(256) / 4, np.zeros(64)
    active[[10, 11]] = 0.8
    for seed in range(20):
        course = windows.hold_expression(at, active, np.random.default_rng(seed))
        start = int(np.argmax(np.abs(course - at) > 0))
        assert start in range(40, 48) and course.shape == (256,)
        assert np.abs(course[start : start + 64] - 10.9).max() < 4  # σ 0.7 about 10 … 11.75
        assert len(set(course[start : start + 64])) == 64
    clips = embedding_set(tmp_path, "clips-train", 512)
    paths = [windows.Sampler([clips], [], [], seed).clip() for seed in range(200)]
    assert 0.25 < np.mean([np.abs(np.diff(p.course, 2)).mean() > 0.05 for p in paths]) < 0.45
    assert all(0 <= p.course.min() and p.course.max() <= 255 for p in paths)


def test_labels_follow_the_course_between_crops(tmp_path):
    s = embedding_set(tmp_path, "stills-train", 8, heads=2)
    p = windows.WindowPath(s, np.array([5, 2]), np.linspace(0, 1, 256))
    np.testing.assert_allclose(p.labels()[[0, -1]], s.labels[[5, 2]], atol=1e-6)
    np.testing.assert_allclose(p.labels()[51], 0.8 * s.labels[5] + 0.2 * s.labels[2], atol=1e-6)


def test_still_windows_show_one_head(tmp_path):
    s = embedding_set(tmp_path, "stills-train", 32, heads=4)
    sampler = windows.Sampler([s], [s], [s], 1)
    for _ in range(50):
        p = sampler.still_window()
        assert len(set(p.crops // 8)) == 1 and p.course.shape == (256,) and p.course.max() <= len(p.crops) - 1


def test_stray_shifts_a_face_towards_other_faces_of_the_clips(tmp_path):
    s = embedding_set(tmp_path, "sparse-train", 192, heads=3)
    sampler = windows.Sampler([s], [], [], 0)
    means = [s.embeddings[k * 64 : (k + 1) * 64].mean(0, dtype=np.float32) for k in range(3)]
    ways = [means[a] - means[b] for a in range(3) for b in range(3)]
    strays = [sampler.stray() for _ in range(20)]
    assert all(any(np.allclose(s, way, atol=1e-5) for way in ways) for s in strays)
    assert max(np.abs(s).max() for s in strays) > 0


def test_stills_are_scored_as_constant_windows(tmp_path):
    torch.manual_seed(0)
    model = EdgeModel().eval()
    s = embedding_set(tmp_path, "stills-val", 3)
    got = windows.predict(model, s)["ensemble"]
    e = torch.from_numpy(s.embeddings[1]).float()
    with torch.no_grad():
        expected = model.score(e.expand(1, 256, -1))[0, -1]
    np.testing.assert_allclose(got[1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("member", "time"),
    [("regnet-vit", ("vivit.temporal.", "vivit.temporal_pos")), ("nguyen", ("nguyen.branch1.", "nguyen.branch3."))],
)
def test_training_lowers_the_loss_and_an_interrupted_run_resumes(tmp_path, capsys, member, time):
    torch.manual_seed(0)
    s = embedding_set(tmp_path, "stills-train", 4, heads=2)
    sampler = windows.Sampler([s], [s], [s], 0)
    begin = EdgeModel()
    disable_temporal(begin)
    run = lambda steps: windows.train(  # noqa: E731
        copy.deepcopy(begin), member, sampler, tmp_path / "run", seconds=1e9, lr=1e-2, mix=(0, 1, 1), every=2, steps=steps
    )
    run(12)
    lost = [float(line.split()[4]) for line in capsys.readouterr().out.splitlines()]
    assert len(lost) == 6 and lost[-1] < lost[0]
    run(12)
    assert capsys.readouterr().out == ""  # finished: no further step
    run(14)
    saved = torch.load(tmp_path / "run" / member / "last.pt", weights_only=True)
    assert saved["step"] == 14
    changed = {k for k, v in begin.state_dict().items() if not torch.equal(v, saved["raw"][k])}
    assert changed and all(k.startswith(time) for k in changed), "what sees one frame stays as it was"


def test_separately_trained_members_are_merged(tmp_path):
    parts = {name: EdgeModel().state_dict() for name in windows.MEMBERS}
    for name, learned in parts.items():
        (tmp_path / name).mkdir()
        torch.save({"model": learned}, tmp_path / name / "last.pt")
    model = EdgeModel()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    windows.join(model, tmp_path)
    kept = torch.load(tmp_path / "last.pt", weights_only=True)["model"]
    for k, v in kept.items():
        source = parts["regnet-vit"] if k.startswith("vivit.") else parts["nguyen"] if k.startswith("nguyen.") else before
        assert torch.equal(v, source[k])
