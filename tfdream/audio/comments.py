"""The comment in the tags of an audio file: a text that does not belong to the samples."""

from pathlib import Path

from tfdream.audio.decode import check_file
from tfdream.audio.decoders import isolation


def read_comment(path: str | Path, isolated: bool | None = None) -> str | None:
    """Return the comment in the tags of a file, or None if it has none.

    Args:
      path: any audio file.
      isolated: read it in another process, as `Reader` does.

    Raises:
      AudioError: if the file cannot be read, or its comment is longer than `MAX_COMMENT_BYTES`.
    """
    path = Path(path)
    check_file(path)
    if isolation.is_enabled() if isolated is None else isolated:
        return isolation.read_comment(path)
    from tfdream.audio.decoders import libav  # its import takes 0.1 s

    return libav.read_comment(path)
