import numpy as np
import pytest
import torch

from austream_training import export
from austream_training.edge import EdgeModel


def test_a_round_trip_keeps_scores_to_fp16(tmp_path):
    torch.manual_seed(0)
    model = EdgeModel().eval()
    export.write(model, tmp_path, "0.0.1", {}, np.ones(12), np.full(12, 0.5), {})
    again = export.load(tmp_path)
    x = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        a, b = (m.score(m.encode(x)[:1].expand(256, -1)[None]) for m in (model, again))
    assert torch.allclose(a, b, atol=2e-3)
    assert (tmp_path / "weights.safetensors").stat().st_size < 12_000_000


def test_changed_weights_are_refused(tmp_path):
    export.write(EdgeModel(), tmp_path, "0.0.1", {}, np.ones(12), np.full(12, 0.5), {})
    file = tmp_path / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="sha256"):
        export.load(tmp_path)


def test_a_weight_that_is_not_finite_is_refused(tmp_path):
    model = EdgeModel()
    model.vivit.head.bias.data[3] = float("nan")
    with pytest.raises(ValueError, match="vivit.head.bias"):
        export.write(model, tmp_path, "0.0.1", {}, np.ones(12), np.full(12, 0.5), {})
