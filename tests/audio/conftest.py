import pytest

from tfdream.errors import AudioError


@pytest.fixture
def message():
    """A function that calls and returns the text of the AudioError, which is one line."""

    def catch(call, *arguments, **settings):
        with pytest.raises(AudioError) as caught:
            call(*arguments, **settings)
        text = str(caught.value)
        assert text.splitlines() == [text]
        return text

    return catch
