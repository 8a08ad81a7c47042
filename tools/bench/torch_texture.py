"""The statistics of textures in PyTorch."""

from collections.abc import Callable

import torch
from torch.nn import functional

from tfdream.models.parts import texture
from tfdream.models.parts.texture import TextureStatistics


def texture_statistics(layer: TextureStatistics) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that maps images `[batch, 1, bands, frames]` to `[batch, statistics]`."""
    matrices = layer._to_cepstra, layer._to_groups, layer._to_octaves
    to_cepstra, to_groups, to_octaves = (torch.from_numpy(matrix.copy()) for matrix in matrices)
    cosines, sines = (torch.from_numpy(waves.copy()) for waves in layer._to_modulation)
    count, (along_frequency, along_time) = texture.CEPSTRA, texture.RIPPLES
    rows, columns = torch.triu_indices(count, count)
    last = layer._lags[-1][1]
    frames = len(cosines)
    places = torch.arange(last)[:, None] + torch.arange(frames - 1)
    block = texture.BLOCK_FRAMES
    kernel = torch.from_numpy(texture._cosines(block, along_time).T[:, None].copy())

    def bands(levels: torch.Tensor) -> list[torch.Tensor]:
        mean = levels.mean(dim=2)
        overall = mean.mean(dim=1, keepdim=True)
        power = 10 * torch.log10((10 ** (levels / 10)).mean(dim=2))
        return [mean - overall, deviation(levels, 2), power - overall]

    def of_cepstra(cepstra: torch.Tensor) -> list[torch.Tensor]:
        centered = cepstra - cepstra.mean(dim=2, keepdim=True)
        covariance = centered @ centered.mT / (frames - 1)
        products = covariance[:, rows, columns]
        return [
            cepstra.mean(dim=2)[:, 1:],
            deviation(cepstra.diff(dim=2), 2),
            products.sign() * products.abs().log1p(),
        ]

    def modulation(levels: torch.Tensor) -> torch.Tensor:
        groups = to_groups.T @ (levels - levels.mean(dim=2, keepdim=True))
        magnitudes = torch.sqrt((groups @ cosines) ** 2 + (groups @ sines) ** 2 + texture._TINY)
        return torch.log(magnitudes @ to_octaves + texture._TINY).flatten(1)

    def periodicity(levels: torch.Tensor) -> torch.Tensor:
        onsets = levels.diff(dim=2).relu().mean(dim=1)
        onsets = onsets - onsets.mean(dim=1, keepdim=True)
        shifted = functional.pad(onsets, (0, last))[:, places]
        correlation = torch.einsum("bkt,bt->bk", shifted, onsets)
        relative = correlation / (correlation[:, :1] + texture._TINY)
        return torch.stack([relative[:, start:end].amax(dim=1) for start, end in layer._lags], 1)

    def ripples(cepstra: torch.Tensor) -> torch.Tensor:
        channels = cepstra[:, :along_frequency].reshape(-1, 1, frames)
        by_block = functional.conv1d(channels, kernel, stride=block // 2).abs()
        statistics = torch.stack([by_block.mean(dim=2), deviation(by_block, 2)], dim=1)
        return torch.log(statistics + texture._SMALL_DB).reshape(len(cepstra), -1)

    def operation(image: torch.Tensor) -> torch.Tensor:
        levels = texture._RANGE_DB * image[:, 0]
        cepstra = to_cepstra.T @ levels
        return torch.cat(
            [
                *bands(levels),
                *of_cepstra(cepstra),
                modulation(levels),
                periodicity(levels),
                ripples(cepstra),
            ],
            dim=1,
        )

    return operation


def deviation(values: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.sqrt(values.var(dim=dim, correction=0) + texture._TINY)
