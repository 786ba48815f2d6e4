import numpy as np
import torch

from austream_training import windows
from austream_training.edge import EdgeModel


def feature_set(folder, name, n, seed=0):
    rng = np.random.default_rng(seed)
    np.save(folder / f"{name}-features.npy", np.abs(rng.normal(0, 1, (n, 16, 320))).astype(np.float16))
    np.save(folder / f"{name}-labels.npy", rng.random((n, 12)).astype(np.float32))
    np.save(folder / f"{name}-weights.npy", np.ones((n, 12), np.float32))
    return windows.FeatureSet(folder, name)


def test_the_nguyen_member_starts_at_the_frame_stages_head(tmp_path):
    torch.manual_seed(0)
    model, head = EdgeModel().eval(), torch.nn.Linear(320, 12)
    torch.nn.init.normal_(head.weight, std=0.2)
    windows.start_from(model, head)
    x = torch.rand(2, 256, 320)
    with torch.no_grad():
        _, branches = model.nguyen.score(x)
        fused = model.nguyen.score(x)[0]
    expected = head(x)
    both = torch.stack([branches[1].flatten(), expected.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([fused.flatten(), expected.flatten()]))[0, 1] > 0.8


def test_a_clip_never_leaves_its_256_frames(tmp_path):
    clips = feature_set(tmp_path, "clips-train", 512)
    sampler = windows.Sampler(clips, [clips], 0)
    for _ in range(60):
        f, y, _ = sampler.clip()
        rows = [int(np.flatnonzero((clips.labels == row).all(1))[0]) for row in y]
        assert len(rows) == 256 and (np.diff(rows) >= 0).all() and rows[0] // 256 == rows[-1] // 256


def test_stills_are_scored_as_constant_windows(tmp_path):
    torch.manual_seed(0)
    model = EdgeModel().eval()
    s = feature_set(tmp_path, "stills-val", 3)
    got = windows.predict(model, s)["ensemble"]
    f = torch.from_numpy(np.array(s.features[1])).float()
    with torch.no_grad():
        e = torch.cat([model.vivit.encode(f[None])[0], f.mean(0)])
        expected = model.score(e.expand(1, 256, -1))[0, -1]
    np.testing.assert_allclose(got[1], expected, atol=1e-5)
