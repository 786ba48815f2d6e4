import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from austream_training import export, golden, paper
from austream_training.edge import EdgeModel


def test_a_round_trip_keeps_scores_to_fp16(tmp_path):
    torch.manual_seed(0)
    model = EdgeModel().eval()
    model.sigma = {"causal": 1.0, "centered": 2.0}
    export.write(model, tmp_path, "0.0.1", {}, np.ones(12), np.full(12, 0.5), {})
    assert json.loads((tmp_path / "model.json").read_text())["smoothing"] == model.sigma
    again = export.load(tmp_path)
    x = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        a, b = (m.score(m.encode(x)[:1].expand(256, -1)[None]) for m in (model, again))
    assert torch.allclose(a, b, atol=2e-3) and again.sigma == model.sigma
    assert (tmp_path / "weights.safetensors").stat().st_size < 12_000_000


def test_changed_weights_are_rejected(tmp_path):
    export.write(EdgeModel(), tmp_path, "0.0.1", {}, np.ones(12), np.full(12, 0.5), {})
    file = tmp_path / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="sha256"):
        export.load(tmp_path)


def test_a_weight_that_is_not_finite_is_rejected(tmp_path):
    model = EdgeModel()
    model.vivit.head.bias.data[3] = float("nan")
    with pytest.raises(ValueError, match="vivit.head.bias"):
        export.write(model, tmp_path, "0.0.1", {}, np.ones(12), np.full(12, 0.5), {})


def trained(run, member, **changed):
    recipe = paper.Recipe(member=member, **changed)
    model = paper.Member(recipe)
    (run / member).mkdir(parents=True)
    torch.save({"model": model.state_dict(), "recipe": asdict(recipe), "epoch": 3}, run / member / "last.pt")
    return model


def test_the_papers_members_become_one_model_under_the_products_names(tmp_path):
    """The product's tests check these names with formula weights (golden.py)."""
    models = {m: trained(tmp_path / "run", m) for m in ("regnet-vit", "nguyen")}
    (tmp_path / "run" / "table2.json").write_text('{"smoothing": {"product": {"causal": 5, "centered": 2}}}')
    out = export.write_paper(tmp_path / "run", tmp_path / "model", "mine", "1.0.0")
    got = load_file(out / "weights.safetensors")
    expected = {p + k: v for p, part in golden.members("paper-compact").items() for k, v in part.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert {k: v.shape for k, v in got.items()} == {k: v.shape for k, v in expected.items()}
    assert torch.equal(got["nguyen.backbone.s4.b1.conv1.conv.weight"], models["nguyen"].backbone.state_dict()["s4.b1.conv1.conv.weight"])
    assert torch.equal(got["vivit.head.weight"], models["regnet-vit"].head.head.weight)
    manifest = json.loads((out / "model.json").read_text())
    assert manifest["preset"] == "paper-compact" and manifest["training"]["nguyen"]["epochs trained"] == 3
    assert manifest["smoothing"] == {"causal": 5, "centered": 2}  # σ of the product's smoothing


def test_one_member_makes_a_model_and_unsupported_members_are_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match="table2 --row regnet-vit"):
        export.write_paper(tmp_path, tmp_path / "model", "mine", "1.0.0")
    trained(tmp_path / "one", "nguyen")
    manifest = json.loads((export.write_paper(tmp_path / "one", tmp_path / "model", "mine", "1.0.0") / "model.json").read_text())
    assert manifest["preset"] == "custom" and "vivit" not in manifest["architecture"] and "nguyen" in manifest["architecture"]
    trained(tmp_path / "short", "regnet-vit", window=16)
    with pytest.raises(ValueError, match="windows of 16 crops, the product's are of 256"):
        export.write_paper(tmp_path / "short", tmp_path / "model", "mine", "1.0.0")
