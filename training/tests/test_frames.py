import numpy as np
import pytest
import torch

from austream_training import cache, crops, frames, precision
from austream_training.crops import CropSet

PLAIN = {"angle": 0.0, "scale": 1.0, "mirror": False, "shift": np.zeros(2), "gain": 1.0, "lift": 0.0, "white": np.ones(3, np.float32), "warmth": 0.0}


def crop_set(folder, n=24):
    rng = np.random.default_rng(0)
    folder.mkdir()
    np.save(folder / "crops.npy", rng.integers(0, 255, (n, 144, 144, 3)).astype(np.uint8))
    np.save(folder / "labels.npy", rng.random((n, 12)).astype(np.float32))
    np.save(folder / "trust.npy", np.ones((n, 12), np.float32))
    np.save(folder / "groups.npy", np.arange(n))
    np.save(folder / "marks.npy", rng.uniform(20, 120, (n, 68, 2)).astype(np.float32))
    return CropSet(folder)


def test_without_temporal_layers_a_window_equals_its_frames():
    torch.manual_seed(0)
    model = frames.FrameModel().eval().edge
    e = model.encode(torch.randn(4, 3, 112, 112))
    with torch.no_grad():
        alone = torch.cat([model.score(x.expand(1, 256, -1))[:, -1] for x in e])
        together = model.score(e.repeat(64, 1)[None])[0, -4:]
    assert torch.allclose(alone, together, atol=1e-5)
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert any("temporal" in n for n in frozen) and any("branch3" in n for n in frozen) and not any("backbone" in n for n in frozen)


def test_an_interrupted_run_resumes(tmp_path):
    torch.manual_seed(0)
    s = crop_set(tmp_path / "stills-train")
    run = lambda steps: frames.train(  # noqa: E731
        frames.FrameModel(), frames.Mixture([s], [1], 0), {"stills": s}, tmp_path / "run", steps=steps, batch=4, workers=0, sync=2
    )
    run(2)
    first = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    run(4)
    second = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert (first["step"], second["step"]) == (2, 4)
    assert len((tmp_path / "run" / "log.ndjson").read_text().splitlines()) == 2
    assert not torch.equal(first["model"]["edge.backbone.stem.conv.weight"], second["model"]["edge.backbone.stem.conv.weight"])


def test_inexact_labels_are_not_a_reference(tmp_path):
    s = crop_set(tmp_path / "clips-test", 3)
    s.weights[0, 6], s.weights[2, 4] = 0.9, 0
    assert np.argwhere(np.isnan(s.truth)).tolist() == [[0, 6], [2, 4]]
    np.testing.assert_array_equal(s.truth[1], s.labels[1])
    photos = crop_set(tmp_path / "portraits-test", 3)
    photos.weights[:] = 0.5
    np.testing.assert_array_equal(photos.truth, photos.labels)  # all labels


def test_copy_temporal_copies_only_temporal_layers():
    mine, other = frames.FrameModel().edge, frames.FrameModel().edge
    torch.nn.init.normal_(other.vivit.temporal[0].fc2.weight)
    torch.nn.init.normal_(other.nguyen.branch1.frequency)
    before = {k: v.clone() for k, v in mine.state_dict().items()}
    frames.copy_temporal(mine, other)
    changed = {k for k, v in mine.state_dict().items() if not torch.equal(v, before[k])}
    theirs = other.state_dict()
    assert all(torch.equal(mine.state_dict()[k], theirs[k]) for k in changed)
    assert {k.split(".")[0] for k in changed} == {"vivit", "nguyen"} and "vivit.temporal.0.fc2.weight" in changed and "nguyen.branch1.frequency" in changed
    assert not any(k.startswith(("vivit.embed", "vivit.head", "nguyen.heads", "nguyen.fusion")) for k in changed)


def test_mirrored_landmarks_stay_on_the_face(tmp_path):
    """The left eye of a mirrored crop must be at the mirror image of the right eye."""
    s = crop_set(tmp_path / "stills-train")
    plain, marks = s.augmented(0, np.random.default_rng(0), PLAIN)
    turned, mirrored = s.augmented(0, np.random.default_rng(0), PLAIN | {"mirror": True})
    np.testing.assert_allclose(marks[36, 0] + mirrored[45, 0], -2 / 112, atol=1e-5)  # pixel centres: 143 − x
    np.testing.assert_allclose(marks[36, 1], mirrored[45, 1], atol=1e-5)
    np.testing.assert_allclose(plain, turned[:, ::-1], atol=1)


def test_the_mean_of_runs_is_a_run_that_loads(tmp_path):
    models = [frames.FrameModel() for _ in range(3)]
    for k, model in enumerate(models):
        (tmp_path / str(k)).mkdir()
        torch.save({"average": {f"module.{n}": v for n, v in model.state_dict().items()}}, tmp_path / str(k) / "last.pt")
    cache.mean([tmp_path / "0", tmp_path / "1"], tmp_path / "mean")
    cache.load_average(models[2], tmp_path / "mean" / "last.pt")
    first, second, mean = (m.state_dict() for m in models)
    for name, v in mean.items():
        if v.is_floating_point():
            torch.testing.assert_close(v, (first[name] + second[name]) / 2)


@pytest.mark.parametrize("able, dtype", [({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16), ({"avx512_bf16": False, "amx_bf16": False}, torch.float32)])
def test_bf16_only_with_native_cpu_support(monkeypatch, able, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64"} | able)
    with precision.mixed():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_only_grey_faces_are_colourised(tmp_path):
    s = crop_set(tmp_path / "stills-train")
    s.crops = np.stack([np.full((144, 144, 3), c, np.uint8) for c in ([120, 120, 120], [150, 115, 95])])
    (grey, _), (skin, _) = (s.augmented(i, np.random.default_rng(0), PLAIN | {"warmth": 1.0}) for i in (0, 1))
    np.testing.assert_allclose(grey[56, 56], 120 * crops.SKIN, rtol=1e-5)
    np.testing.assert_allclose(skin[56, 56], [150, 115, 95])
    assert crops.is_greyscale(s.crops[0]) and not crops.is_greyscale(skin)
    assert not crops.is_greyscale(grey)
