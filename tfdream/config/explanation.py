"""Settings of `explain`."""

from typing import ClassVar

from tfdream.config.base import Config, NotNegative, Positive, Seed
from tfdream.config.frontends import StftSpec
from tfdream.config.recipes import OptimizerConfig, TilesConfig


class ExplainConfig(Config):
    """Settings of `explain`: resolution of the mask, objective and optimizer.

    >>> ExplainConfig().optimizer.steps
    60
    """

    packaged_in: ClassVar[str] = "explain"
    stft: StftSpec = StftSpec(n_fft=1024, hop_samples=256)
    """STFT at the network's sample rate; the mask has a weight for each of its cells."""
    blur_seconds: Positive = 0.06
    """Standard deviation of the blur of the mask in time."""
    blur_hz: Positive = 100.0
    """Standard deviation of the blur of the mask in frequency."""
    removal_weight: NotNegative = 1.0
    """Weight of log(1 − p), p the label's probability for what the mask removes."""
    sparsity: NotNegative = 2.0
    """Weight of the share of the sound that the mask keeps."""
    optimizer: OptimizerConfig = OptimizerConfig(steps=60, step_size=0.5)
    """Its step size is in logits of the mask."""
    tiles: TilesConfig = TilesConfig(overlap_seconds=0.25)
    seed: Seed = 0
    """Random seed of the masks that the explanation is compared with."""
