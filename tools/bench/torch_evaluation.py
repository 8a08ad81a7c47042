"""The evaluation of a classifier on mel bands in PyTorch, for comparisons with `evaluate`."""

from collections.abc import Callable

import numpy as np
import torch
from torch_classifier import TorchClassifier

from tfdream.runs import Run
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend

_TINY = 1e-20


def torch_evaluation(
    run: Run, waveforms: np.ndarray, batch_size: int
) -> Callable[[], torch.Tensor]:
    """Return a function that computes the logits `[clips, classes]` of clips in memory.

    Args:
      run: a classifier on images of mel bands.
      waveforms: float32 `[clips, samples]`.
      batch_size: clips of one batch.
    """
    config, frontend = run.config.frontend, run.frontend
    assert isinstance(config, MelFrontendConfig) and isinstance(frontend, SpectrogramFrontend)
    assert frontend.bands is not None
    matrix = torch.from_numpy(frontend.bands.matrix.numpy())
    n_fft, hop = config.stft.n_fft, config.stft.hop_samples
    window = torch.hann_window(n_fft)
    network = TorchClassifier(run.model).eval().to(memory_format=torch.channels_last)
    clips = torch.from_numpy(waveforms)

    def images(batch: torch.Tensor) -> torch.Tensor:
        stft = torch.stft(batch, n_fft, hop, window=window, return_complex=True)
        power = (stft.real**2 + stft.imag**2).transpose(1, 2) @ matrix
        levels = 10 * torch.log10(power + _TINY)
        levels = 1 + (levels - levels.amax(dim=(1, 2), keepdim=True)) / config.top_db
        return levels.clamp(min=0).transpose(1, 2).unsqueeze(1)

    def evaluate() -> torch.Tensor:
        with torch.inference_mode():
            return torch.cat([network(images(batch)) for batch in clips.split(batch_size)])

    return evaluate
