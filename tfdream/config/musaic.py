"""Settings of musaics: recordings that are composed of frames of other recordings."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tfdream.config.base import Config, Count, Fraction
from tfdream.config.recipes import RenderConfig

Frames = Annotated[int, Field(ge=0, le=64)]


class ActivationConfig(Config):
    """Restrictions of activations, which become exact in the last iteration.

    Source: Driedger, Prätzlich and Müller, "Let It Bee – Towards NMF-inspired audio mosaicing".
    """

    polyphony: Count = 6
    """Largest number of frames of the style that sound at the same time."""
    repetition_frames: Frames = 3
    """A frame of the style is not used again within this many frames."""
    continuity_frames: Frames = 10
    """Successive frames of the style are preferred over this many frames before and after."""
    iterations: Count = 12


class CompositionConfig(Config):
    """How a content is composed of frames of a style.

    >>> CompositionConfig().note_mask
    1.0
    """

    note_mask: Fraction = 1.0
    """Bands of a frame in which the musaic is louder than the content with the mean spectrum of the
    style are attenuated by this share of the difference in dB. 0: by nothing; 1: the musaic has no
    notes that the content does not have."""
    equalizer_semitones: Annotated[float, Field(ge=0, le=24)] = 4.0
    """Standard deviation of the smoothing of the mean spectra that the equalizer compares, so that
    it has no single notes. 0: no smoothing."""
    envelope_semitones: Annotated[float, Field(ge=0, le=48)] = 0.0
    """Standard deviation of the smoothing of the spectra of single frames, in which the musaic then
    has the levels of the content with the mean spectrum of the style, so that attacks stay where
    they are. 0: frames only have the total level of the content."""
    semitones: Annotated[int, Field(ge=0, le=24)] = 6
    """Copies of the style are used that are shifted up and down by 1 to this many semitones."""
    dictionary_frames: Annotated[int, Field(ge=64, le=65536)] = 8192
    """Largest number of frames of the style, shifted ones included. Those of a longer style are
    taken from parts that are spread evenly over it."""
    activations: ActivationConfig = ActivationConfig()


class MusaicConfig(CompositionConfig, RenderConfig):
    """Settings of `transfer` with method=musaic: the content, composed of frames of the style.

    >>> MusaicConfig(method="musaic").style_strength
    1.0
    """

    packaged_in: ClassVar[str] = "transfer"
    method: Literal["musaic"]
    style_strength: Fraction = 1.0
    """Share of the musaic in the output: 0 is the content."""

    @property
    def continuous_settings(self) -> tuple[str, ...]:
        return "mix", "mask.strength", "style_strength"
