import os
import socket
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from austream_training import paper, smoothing
from austream_training.data import abaw

WINDOW = 16


@pytest.fixture
def tiny(tmp_path):
    """Three videos in the challenge's format whose AUs are bright bands, invariant to a flip; one frame has a −1 and one
    is missing."""
    rng = np.random.default_rng(0)
    for k in range(3):
        crops = tmp_path / "cropped_aligned" / f"v{k}"
        crops.mkdir(parents=True)
        rows = (rng.random((WINDOW, 12)) < 0.4).astype(int)
        for t, row in enumerate(rows, start=1):
            image = np.full((112, 112, 3), 60, np.uint8)
            for au, on in enumerate(row):
                image[au * 9 + 2 : au * 9 + 9] = 230 if on else 10
            if t != 5:
                cv2.imwrite(str(crops / f"{t:05d}.jpg"), image)
        lines = [",".join(map(str, r)) for r in rows]
        lines[2] = "-1," + lines[2].split(",", 1)[1]
        folder = tmp_path / "AU_Detection_Challenge" / "Train_Set"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"v{k}.txt").write_text("\n".join([abaw.HEADER, *lines]) + "\n")
    return abaw.read(tmp_path, "train")


def test_stem_and_first_block_stay_frozen(tiny, tmp_path):
    recipe = paper.Recipe(window=WINDOW, batch=1, epochs=1, lr=0.1)
    torch.manual_seed(recipe.seed)
    before = {k: v.clone() for k, v in paper.Member(recipe).backbone.state_dict().items()}
    after = paper.train(recipe, tiny[:1], tmp_path / "run", device="cpu").backbone.state_dict()
    frozen = [k for k in before if k.startswith(("stem.", "s1."))]
    assert frozen and all(torch.equal(before[k], after[k]) for k in frozen)
    assert not torch.equal(before["s4.b1.conv1.conv.weight"], after["s4.b1.conv1.conv.weight"])


def test_an_interrupted_run_resumes_and_another_recipe_is_rejected(tiny, tmp_path, capsys):
    first = paper.Recipe(member="nguyen", window=WINDOW, batch=3, epochs=1, lr=0.05)
    paper.train(first, tiny, tmp_path / "run", device="cpu")
    with pytest.raises(ValueError, match="another recipe"):
        paper.train(paper.Recipe(window=WINDOW), tiny, tmp_path / "run", device="cpu")
    capsys.readouterr()
    paper.train(first, tiny, tmp_path / "run", device="cpu")
    assert "epoch" not in capsys.readouterr().out  # finished: no further epoch


def test_the_whole_pipeline_overfits(tiny, tmp_path):
    """The whole paper-compact model overfits two short videos; takes minutes on one core."""
    short = [replace(v, frames=v.frames[:8], files=v.files[:8], labels=v.labels[:8]) for v in tiny[:2]]
    recipe = paper.Recipe(window=8, batch=2, epochs=240, lr=0.15, restart=240, beta=0.0)
    model = paper.train(recipe, short, tmp_path / "run", device="cpu")
    assert paper.macro_f1(short, paper.predict(model, short, 8)) > 0.95


def _one_of_two(rank, port, root, recipe):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    videos = abaw.read(root, "train")
    model = paper.train(recipe, videos, root / "run", device="cpu")
    torch.save({"model": model.state_dict(), "scores": paper.predict(model, videos, WINDOW)}, root / f"rank{rank}.pt")


def test_two_processes_train_one_model_and_share_the_scoring(tiny, tmp_path):
    recipe = paper.Recipe(member="nguyen", window=WINDOW, batch=2, epochs=2, lr=0.05)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    torch.multiprocessing.spawn(_one_of_two, (port, tmp_path, recipe), nprocs=2)
    one, two = (torch.load(tmp_path / f"rank{k}.pt", weights_only=False) for k in (0, 1))
    kept = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["model"]
    learned = [k for k, _ in paper.Member(recipe).named_parameters()]
    torch.manual_seed(recipe.seed)
    before = paper.Member(recipe).state_dict()
    # the processes saw different windows: weights are equal only if gradients were averaged
    assert all(torch.equal(one["model"][k], two["model"][k]) and torch.equal(one["model"][k], kept[k]) for k in learned)
    assert not torch.equal(before["head.heads.0.weight"], kept["head.heads.0.weight"])
    # the first and the third video were scored by process 0, the second by process 1
    models = []
    for part in (one, two):
        models.append(paper.Member(recipe))
        models[-1].load_state_dict(part["model"])
    for k, video in enumerate(tiny):
        alone = paper.predict(models[k % 2], [video], WINDOW)[0]
        for part in (one, two):
            np.testing.assert_allclose(part["scores"][k], alone, atol=1e-4)


def test_an_indivisible_batch_is_rejected(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(paper.processes, "join", lambda device=None: (0, 3, "cpu"))
    with pytest.raises(ValueError, match="a batch of 4 windows cannot be shared by 3 processes"):
        paper.train(paper.Recipe(window=WINDOW), tiny, tmp_path / "run")


def test_padding_is_masked():
    assert paper.mask(np.array([3, 4, 5, 5, 5])).tolist() == [True, True, True, False, False]


def test_every_row_of_table_2(tiny, tmp_path):
    """From a miniature in the challenge's format to a metric per row, with resumed runs."""
    import json
    import shutil

    from austream_training import table2

    root = tmp_path / "AU_Detection_Challenge"
    shutil.copytree(root / "Train_Set", root / "Validation_Set")
    recipe = paper.Recipe(window=WINDOW, batch=1, epochs=1, lr=0.02)
    figures = [table2.run(row, tmp_path, tmp_path / "rows", recipe, None, causal=True, k=3) for row in table2.ROWS]
    rows = json.loads((tmp_path / "rows" / "table2.json").read_text())
    assert list(rows) == list(table2.ROWS) and {"sigma", "kernel", "causal"} <= rows["smoothing"].keys()
    scores = {row: np.load(tmp_path / "rows" / f"{row}.npz") for row in table2.ROWS}
    for row, figure in zip(table2.ROWS, figures):
        # a row's metric is that of its stored scores, and is in the smoothing grid
        assert figure == rows[row]["macro_f1"] == paper.macro_f1(tiny, [scores[row][v.name] for v in tiny])
    found = rows["smoothing"]
    assert figures[table2.ROWS.index("smoothing")] == max(found["grids"]["causal"].values())
    for mode, sigma in found["product"].items():
        again = [smoothing.smooth(scores["kfold"][v.name], sigma, causal=mode == "causal") for v in tiny]
        at_51 = [f1 for key, f1 in found["grids"][mode].items() if key.endswith(",51")]
        assert paper.macro_f1(tiny, again) == max(at_51)
    # the ensemble row is the mean of its two inputs
    np.testing.assert_allclose(scores["ensemble"]["v0"], (scores["smoothing"]["v0"] + scores["nguyen"]["v0"]) / 2)
