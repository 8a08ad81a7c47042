import pytest

from tfdream.errors import ModelError
from tfdream.presets import ModelCard, TrainingData, card

CARD = ModelCard(
    title="Noise or tönes",
    summary="Distinguishes noise from tones.",
    source="tests",
    license="CC0-1.0",
    training_data=(TrainingData(name="Composed", license="CC0-1.0", source="tests"),),
    accuracy="none measured",
)


def test_a_written_card_is_read(tmp_path):
    assert ModelCard.read(tmp_path) is None
    CARD.write(tmp_path)
    assert ModelCard.read(tmp_path) == CARD


@pytest.mark.parametrize("content", ["title: only", "[", "training_data: []"])
def test_a_damaged_card_is_one_error(tmp_path, content):
    (tmp_path / card.FILE).write_text(content)
    with pytest.raises(ModelError, match=r"card\.yaml"):
        ModelCard.read(tmp_path)
