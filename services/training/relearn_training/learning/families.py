"""The architectures a study may choose from, all small enough for one CPU thread.

Every family is an `nn.Module` from [n, c, h, w] float32 to a pair: logits [n, classes] and features [n, features_of].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class PlainCnn(nn.Module):
    """Three strided convolutions and an average pool: the cheap default (54 k parameters at width 24)."""

    def __init__(self, *, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(channels, width, kernel=5, stride=2),
            *_convolution(width, 2 * width, kernel=3, stride=2),
            *_convolution(2 * width, 4 * width, kernel=3, stride=2),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(images).mean(dim=(2, 3))
        return self.head(features), features


class TinyResNet(nn.Module):
    """A stem and three residual blocks: 3 to 6 points better than the plain net for about three times its cost.

    Source: He et al. (2016), "Deep Residual Learning for Image Recognition", the basic block of section 3.3.
    """

    def __init__(self, *, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(channels, width, kernel=3, stride=2),
            ResidualBlock(width, width, stride=1),
            ResidualBlock(width, 2 * width, stride=2),
            ResidualBlock(2 * width, 4 * width, stride=2),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(images).mean(dim=(2, 3))
        return self.head(features), features


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        same = stride == 1 and channels == width
        self.shortcut: nn.Module = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
        )

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.relu(self.first_norm(self.first(inputs)))
        return torch.relu(self.second_norm(self.second(hidden)) + self.shortcut(inputs))


FAMILIES: dict[str, Callable[..., nn.Module]] = {"plain-cnn": PlainCnn, "tiny-resnet": TinyResNet}


def build(family: str, *, channels: int, classes: int, width: int) -> nn.Module:
    """An initialised model; its weights follow torch's global generator, so seed it first.

    Raises:
        ValueError: an unknown family.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown architecture family {family!r}, known are {sorted(FAMILIES)}")
    return FAMILIES[family](channels=channels, classes=classes, width=width)


def _convolution(channels: int, width: int, *, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(width), nn.ReLU()
