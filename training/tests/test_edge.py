import timm
import torch

from austream_training import edge


def test_the_backbone_is_timms_regnety():
    """Same parameter names and, with the 400MF sizes and its weights, the same features as timm's regnety_004."""
    reference = timm.create_model("regnety_004", pretrained=False).eval()
    ours = edge.RegNet(32, (1, 3, 6, 6), (48, 104, 208, 440), 8).eval()
    theirs = {k: v for k, v in reference.state_dict().items() if not k.startswith("head.")}
    ours.load_state_dict(theirs)  # raises for missing, extra and misshapen tensors
    x = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(ours(x), reference.forward_features(x), atol=1e-5)


def test_attention_equals_torchs():
    torch.manual_seed(0)
    ours, reference = edge.Attention(64, 4), torch.nn.MultiheadAttention(64, 4, batch_first=True)
    ours.qkv.load_state_dict({"weight": reference.in_proj_weight, "bias": reference.in_proj_bias})
    ours.proj.load_state_dict(reference.out_proj.state_dict())
    x = torch.randn(2, 10, 64)
    mask = torch.triu(torch.ones(10, 10, dtype=torch.bool), 1)
    assert torch.allclose(ours(x, causal=True), reference(x, x, x, attn_mask=mask)[0], atol=1e-5)


def test_the_decoder_is_causal():
    model = edge.Seq2Seq(64, 4, 32, 1, 1).eval()
    source, target = torch.randn(1, 256, 64), torch.randn(1, 256, 64)
    changed = target.clone()
    changed[:, 200:] = torch.randn(56, 64)
    with torch.no_grad():
        a, b = model(source, target), model(source, changed)
    assert torch.allclose(a[:, :200], b[:, :200], atol=1e-5) and not torch.allclose(a[:, 200:], b[:, 200:], atol=1e-2)


def test_encode_once_then_score_windows():
    model = edge.EdgeModel().eval()
    with torch.no_grad():
        e = model.encode(torch.randn(3, 3, 112, 112))
        p = model.score(e[:1].expand(256, -1)[None])
    assert e.shape == (3, 448) and p.shape == (1, 256, 12) and 0 <= p.min() and p.max() <= 1
