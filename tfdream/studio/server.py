"""The server of the page: it binds to the loopback interface alone and loads nothing from outside.

A content security policy forbids the page every access to other hosts. Requests with another host
name are rejected, so that a web page elsewhere cannot reach the server through its own name, and so
are requests of other web pages that would change something.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdream.errors import ConfigError
from tfdream.io.system_errors import describe
from tfdream.studio.history import History, locked
from tfdream.studio.paths import as_used
from tfdream.studio.tasks import recipes_by_task, run_task
from tfdream.studio.uploads import Limits

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    _Next = Callable[[Request], Awaitable[Response]]

HOST = "127.0.0.1"
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


def disable_telemetry() -> None:
    """Turn off analytics and update checks of Gradio; call before it is imported."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_SSR_MODE="False", HF_HUB_OFFLINE="1")


def check_installed() -> None:
    """Raise ConfigError if Gradio is not installed."""
    if find_spec("gradio") is None:
        raise ConfigError("studio needs Gradio; install it with pip install 'tfdream[studio]'")


def check_port(port: int) -> int:
    """Return a port, or a free one for 0.

    Raises:
      ConfigError: if another program uses it.
    """
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"--port {port} cannot be used: {describe(error)}; use another one, or 0"
            ) from None
        chosen: int = probe.getsockname()[1]
    return chosen


@contextmanager
def serving(
    folder: str | Path,
    port: int = 0,
    runs: tuple[str, ...] = (),
    recipes: tuple[str, ...] = (),
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve the page while the context is open, and yield its address.

    Args:
      folder: folder of the loaded recordings and the results.
      port: port of the server; 0 takes any free one.
      runs: run folders beside the installed presets.
      recipes: YAML files of recipes beside the packaged ones.
      limits: limits of a recording.

    Raises:
      ConfigError: if Gradio is not installed, the port or the folder is used, or a recipe is
        invalid.
      ModelError: if one of `runs` is not a run folder.
    """
    check_installed()
    for run in runs:
        run_task(run)
    runs, recipes_of = tuple(map(as_used, runs)), recipes_by_task(map(as_used, recipes))
    port = check_port(port)
    disable_telemetry()
    from tfdream.studio.jobs import JobQueue
    from tfdream.studio.worker import ProcessWorker

    limits = limits or Limits()
    with locked(folder):
        history = History(folder)
        worker = ProcessWorker()
        worker.start()  # imports TensorFlow while this process imports Gradio
        queue = JobQueue(history, worker)
        try:
            from tfdream.studio.layout import Studio
            from tfdream.studio.page import build

            inputs = Path(folder) / "inputs"
            page = build(Studio(queue, history, inputs, limits, runs, recipes_of))
            try:
                yield _launch(page, Path(folder).absolute(), port, limits)
            finally:
                page.close(verbose=False)
        finally:
            queue.close()


def _launch(page: Any, folder: Path, port: int, limits: Limits) -> str:
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
        Middleware(BaseHTTPMiddleware, dispatch=_add_policy),
        Middleware(BaseHTTPMiddleware, dispatch=_reject_other_pages),
    ]
    local_fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    page.launch(
        server_name=HOST,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,
        footer_links=[],
        allowed_paths=[str(folder)],
        max_file_size=limits.bytes,
        app_kwargs={"middleware": middleware},
        ssr_mode=False,
        enable_monitoring=False,
        theme=gr.themes.Default(**local_fonts),
        css=(Path(__file__).parent / "page.css").read_text(encoding="utf-8"),
    )
    return f"http://{HOST}:{port}/"


async def _add_policy(request: "Request", call_next: "_Next") -> "Response":
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


async def _reject_other_pages(request: "Request", call_next: "_Next") -> "Response":
    """Reject requests of other web pages, unless they only read; browsers name the origin."""
    from starlette.responses import PlainTextResponse

    headers = request.headers
    own = f"http://{headers.get('host')}"
    is_own = headers.get("origin", own) == own and headers.get("sec-fetch-site") != "cross-site"
    if request.method in ("GET", "HEAD") or is_own:
        return await call_next(request)
    return PlainTextResponse("The request is that of another web page.", 403)
