"""The networks: RegNetY and the two window encoders of the paper's ensemble, and the sizes of the `edge` preset.

Parameter names of the backbone are timm's RegNet names. Both members share the backbone, so it runs once per crop.
Sizes: EDGE below; shapes: b windows, f frames, n crops, t 16 tokens, c backbone width, d ViViT width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EDGE = {
    "stem": 32,
    "depths": (1, 2, 4, 3),
    "widths": (32, 64, 160, 320),
    "groupWidth": 16,
    "vivit": {"dim": 128, "heads": 4, "mlp": 256, "spatialLayers": 1, "temporalLayers": 2},
    "nguyen": {"heads": 10, "mlp": 256, "encoderLayers": 1, "decoderLayers": 1},
}
WINDOW, TOKENS = 256, 16
MEMBERS = {"regnet-vit": "vivit", "nguyen": "nguyen"}  # the paper's names → EdgeModel's modules


class ConvBn(nn.Module):
    def __init__(self, i: int, o: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn, self.act = nn.BatchNorm2d(o), act

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return torch.relu_(x) if self.act else x


class SqueezeExcite(nn.Module):
    def __init__(self, width: int, squeezed: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, squeezed, 1), nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class RegBlock(nn.Module):
    """1×1 → grouped 3×3 → SE → 1×1, ReLU after the add; SE squeezes to a quarter of the block's input width."""

    def __init__(self, i: int, o: int, stride: int, group: int):
        super().__init__()
        self.conv1, self.conv2 = ConvBn(i, o), ConvBn(o, o, 3, stride, o // group)
        self.se, self.conv3 = SqueezeExcite(o, round(0.25 * i)), ConvBn(o, o, act=False)
        self.downsample = ConvBn(i, o, 1, stride, act=False) if i != o or stride != 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(self.se(self.conv2(self.conv1(x))))
        return torch.relu_(y + (x if self.downsample is None else self.downsample(x)))


class RegNet(nn.Module):
    """(n, 3, 112, 112) → (n, c, 4, 4)."""

    def __init__(self, stem: int, depths: tuple[int, ...], widths: tuple[int, ...], group: int):
        super().__init__()
        self.stem, i = ConvBn(3, stem, 3, 2), stem
        for k, (depth, width) in enumerate(zip(depths, widths), start=1):
            stage = nn.Sequential()
            for b in range(depth):
                stage.add_module(f"b{b + 1}", RegBlock(i, width, 2 if b == 0 else 1, group))
                i = width
            setattr(self, f"s{k}", stage)
        for m in self.modules():
            if isinstance(m, nn.Conv2d) and m.bias is None:
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(m, RegBlock):
                nn.init.zeros_(m.conv3.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.s4(self.s3(self.s2(self.s1(self.stem(x)))))


class Attention(nn.Module):
    """Multi-head attention. Self-attention has one qkv projection; cross-attention has separate q and kv projections."""

    def __init__(self, d: int, heads: int, cross: bool = False):
        super().__init__()
        self.heads = heads
        if cross:
            self.q, self.kv = nn.Linear(d, d), nn.Linear(d, 2 * d)
        else:
            self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)

    def forward(self, x: Tensor, memory: Tensor | None = None, causal: bool = False) -> Tensor:
        b, n, d = x.shape
        split = lambda z, parts: z.view(b, -1, parts, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # noqa: E731
        if memory is None:
            q, k, v = split(self.qkv(x), 3)
        else:
            (q,), (k, v) = split(self.q(x), 1), split(self.kv(memory), 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.proj(y.transpose(1, 2).reshape(b, n, d))


class Encoder(nn.Module):
    """Pre-norm encoder block: x + attention(norm1 x), then x + fc2(act(fc1(norm2 x)))."""

    def __init__(self, d: int, heads: int, mlp: int, act=F.gelu, drop: float = 0.1):
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(d), Attention(d, heads), nn.LayerNorm(d)
        self.fc1, self.fc2, self.act, self.drop = nn.Linear(d, mlp), nn.Linear(mlp, d), act, nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attn(self.norm1(x)))
        return x + self.drop(self.fc2(self.act(self.fc1(self.norm2(x)))))


class Decoder(nn.Module):
    """Pre-norm decoder block: causal self-attention, cross-attention to the encoder's output, feed-forward."""

    def __init__(self, d: int, heads: int, mlp: int, drop: float = 0.1):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(d), Attention(d, heads)
        self.norm2, self.cross = nn.LayerNorm(d), Attention(d, heads, cross=True)
        self.norm3, self.fc1, self.fc2, self.drop = nn.LayerNorm(d), nn.Linear(d, mlp), nn.Linear(mlp, d), nn.Dropout(drop)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = x + self.drop(self.attn(self.norm1(x), causal=True))
        x = x + self.drop(self.cross(self.norm2(x), memory))
        return x + self.drop(self.fc2(torch.relu(self.fc1(self.norm3(x)))))


class ViViT(nn.Module):
    """Factorised encoder: a spatial encoder per frame, a temporal one over the window, the head on every frame."""

    def __init__(self, c: int, dim: int, heads: int, mlp: int, spatialLayers: int, temporalLayers: int, window: int = WINDOW):
        super().__init__()
        self.embed = nn.Linear(c, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.spatial_pos = nn.Parameter(torch.randn(1, TOKENS + 1, dim) * 0.02)
        self.spatial = nn.ModuleList(Encoder(dim, heads, mlp) for _ in range(spatialLayers))
        self.spatial_norm = nn.LayerNorm(dim)
        self.temporal_pos = nn.Parameter(torch.randn(1, window, dim) * 0.02)
        self.temporal = nn.ModuleList(Encoder(dim, heads, mlp) for _ in range(temporalLayers))
        self.temporal_norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 12)

    def encode(self, tokens: Tensor) -> Tensor:
        """(n, 16, c) → (n, d): the class token after the spatial encoder."""
        x = torch.cat([self.cls_token.expand(len(tokens), -1, -1), self.embed(tokens)], 1) + self.spatial_pos
        for block in self.spatial:
            x = block(x)
        return self.spatial_norm(x[:, 0])

    def score(self, embeddings: Tensor) -> Tensor:
        """(b, 256, d) → logits (b, 256, 12)."""
        x = embeddings + self.temporal_pos
        for block in self.temporal:
            x = block(x)
        return self.head(self.temporal_norm(x))


class Seq2Seq(nn.Module):
    """Encoder-decoder Transformer; positions are learnable frequencies × the normalised frame index."""

    def __init__(self, d: int, heads: int, mlp: int, encoderLayers: int, decoderLayers: int, window: int = WINDOW):
        super().__init__()
        self.window = window
        self.frequency = nn.Parameter(torch.randn(d) * 0.5 * math.pi)
        self.encoder = nn.ModuleList(Encoder(d, heads, mlp, F.relu) for _ in range(encoderLayers))
        self.encoder_norm = nn.LayerNorm(d)
        self.decoder = nn.ModuleList(Decoder(d, heads, mlp) for _ in range(decoderLayers))
        self.decoder_norm = nn.LayerNorm(d)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        position = torch.arange(source.shape[1], device=source.device)[:, None] / self.window * self.frequency
        memory, x = source + position, target + position
        for block in self.encoder:
            memory = block(memory)
        memory = self.encoder_norm(memory)
        for block in self.decoder:
            x = block(x, memory)
        return self.decoder_norm(x)


class Nguyen(nn.Module):
    """Three branches over pooled features (b, 256, c) and their fusion; `score` gives fused and branch logits."""

    def __init__(self, c: int, heads: int, mlp: int, encoderLayers: int, decoderLayers: int, window: int = WINDOW):
        super().__init__()
        self.branch1 = Seq2Seq(c, heads, mlp, encoderLayers, decoderLayers, window)
        self.branch2 = nn.Sequential(nn.Linear(c, c * 3 // 2), nn.ReLU(), nn.Linear(c * 3 // 2, c))
        self.branch3 = Seq2Seq(c, heads, mlp, encoderLayers, decoderLayers, window)
        self.heads = nn.ModuleList(nn.Linear(c, 12) for _ in range(3))
        self.fusion = nn.Sequential(nn.Linear(36, 36), nn.ReLU(), nn.Linear(36, 12))

    def score(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        one = self.branch1(x, x)
        two = self.branch2(x)
        three = self.branch3(two, one)
        out = [head(f) for head, f in zip(self.heads, (one, two, three))]
        return self.fusion(torch.cat(out, -1)), out


class EdgeModel(nn.Module):
    """The ensemble. `encode`: crops → embeddings (n, d + c), what the product caches; `score`: windows of them."""

    def __init__(self, sizes: dict = EDGE):
        super().__init__()
        c = sizes["widths"][-1]
        self.backbone = RegNet(sizes["stem"], sizes["depths"], sizes["widths"], sizes["groupWidth"])
        self.vivit, self.nguyen = ViViT(c, **sizes["vivit"]), Nguyen(c, **sizes["nguyen"])
        self.sigma = {"causal": 3.0, "centered": 3.0}  # best smoothing of its scores, in frames; the paper's until calibrated

    def encode(self, x: Tensor) -> Tensor:
        f = self.backbone(x).flatten(2).transpose(1, 2)
        return torch.cat([self.vivit.encode(f), f.mean(1)], 1)

    def score(self, embeddings: Tensor) -> Tensor:
        """(b, 256, d + c) → the mean of the members' sigmoid scores (b, 256, 12)."""
        d = self.vivit.embed.out_features
        first, (fused, _) = self.vivit.score(embeddings[..., :d]), self.nguyen.score(embeddings[..., d:])
        return (torch.sigmoid(first) + torch.sigmoid(fused)) / 2
