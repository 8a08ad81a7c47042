import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tfdream.errors import ModelError
from tfdream.io.checksums import file_sha256
from tfdream.io.download import fetch

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "file.bin").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_file_is_downloaded_with_progress(address, tmp_path):
    reports = []
    path = fetch(
        f"{address}/file.bin",
        SHA256.upper(),
        tmp_path / "copy.bin",
        lambda done, total, value=0.0, note="": reports.append((done, total)),
    )
    assert path.read_bytes() == CONTENT
    assert file_sha256(path) == SHA256
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert all(done <= total == len(CONTENT) for done, total in reports)


@pytest.mark.parametrize(
    ("name", "sha256", "reason"),
    [("file.bin", "0" * 64, "hash"), ("missing.bin", SHA256, "404")],
)
def test_a_failed_download_is_one_error_and_leaves_nothing(address, tmp_path, name, sha256, reason):
    with pytest.raises(ModelError, match=f"cannot be downloaded.*{reason}"):
        fetch(f"{address}/{name}", sha256, tmp_path / "copy.bin")
    assert not list(tmp_path.iterdir())


def test_an_unreachable_host_and_other_protocols_are_errors(tmp_path):
    with pytest.raises(ModelError, match="cannot be downloaded"):
        fetch("http://127.0.0.1:9/file", SHA256, tmp_path / "a")
    for url in ("file:///etc/passwd", "ftp://host/file"):
        with pytest.raises(ModelError, match="https://"):
            fetch(url, SHA256, tmp_path / "a")
