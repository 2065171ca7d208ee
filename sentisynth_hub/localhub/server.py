"""The server process: `python -m sentisynth_hub.localhub.server --data DIR --port N [--detach]`.

It holds a lock on its data folder for as long as it lives; whoever can take that lock knows that no server is running.
"""

import argparse
import fcntl
import os
import resource
import socket
import time
from pathlib import Path
from typing import TextIO

import uvicorn

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.accounts import owner_token
from sentisynth_hub.localhub.app import HubApp
from sentisynth_hub.localhub.config import LOCK_FILE, READY, STATE_FILE, HubConfig
from sentisynth_hub.localhub.durable import write_json
from sentisynth_hub.localhub.hub import Hub
from sentisynth_hub.localhub.private import make_private
from sentisynth_hub.localhub.protocol import HubProtocol
from sentisynth_hub.localhub.recovery import recover


_GRACE_SECONDS = 5
_LOCK_SECONDS = 5
_KEEP_ALIVE_SECONDS = (
    65  # longer than the clients keep a connection, so that none is closed just when it is used again
)


def serve(config: HubConfig) -> None:
    """Serve until told to stop; says `READY` on stdout once it listens.

    Raises:
        InputError: another server holds the data folder, or the port is taken.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a client that stands still holds three of them
    os.umask(0o077)  # whatever is made from here on is nobody else's to read
    make_private(config.data)
    with open(config.data / LOCK_FILE, "w") as lock:
        _take(lock, config.data)
        hub = Hub(config)
        recover(hub.repos, config.upload_seconds)
        with _listen(config) as listener:
            port = listener.getsockname()[1]
            state = {
                "pid": os.getpid(),
                "endpoint": f"http://{_shown_host(config.host)}:{port}",
                "data": str(config.data),
                "token": owner_token(config.data),
                "read_only": config.read_only,
            }
            write_json(config.data / STATE_FILE, state, mode=0o600)
            os.write(1, READY.encode())
            os.dup2(2, 1)  # whoever waits for the answer above sees its end
            settings = uvicorn.Config(
                HubApp(hub),
                http=HubProtocol,
                loop="asyncio",
                lifespan="off",
                ws="none",
                access_log=False,
                log_level="warning",
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
            uvicorn.Server(settings).run(sockets=[listener])
        (config.data / STATE_FILE).unlink(missing_ok=True)


def _take(lock: TextIO, data: Path) -> None:
    """Lock the data folder; a server that was just killed still holds it for a moment."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise InputError(f"{data}: another embedded Hub is using this folder; stop it first") from error
        time.sleep(0.05)


def _listen(config: HubConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # The protocol is named because asyncio turns off Nagle's algorithm only then; with it every answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"{config.host}:{config.port} cannot be listened on ({error.strerror}); choose another with --port"
        ) from error
    listener.listen(128)
    return listener


def _detach() -> None:
    """Go on as a process of its own session that nobody waits for."""
    if os.fork():
        os._exit(0)
    os.setsid()


def _shown_host(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)


def main() -> None:
    """Read the command line that `control.start` writes."""
    parser = argparse.ArgumentParser(prog="sentisynth_hub.localhub.server", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--tokens", type=Path)
    for name in ("json", "commit", "file"):
        parser.add_argument(f"--max-{name}-bytes", type=int, default=getattr(HubConfig, f"max_{name}_bytes"))
    parser.add_argument("--max-proposed-bytes", type=int, default=HubConfig.max_proposed_bytes)
    parser.add_argument("--multipart-bytes", type=int, default=HubConfig.multipart_bytes)
    parser.add_argument("--upload-seconds", type=int, default=HubConfig.upload_seconds)
    parser.add_argument("--detach", action="store_true", help="leave the server behind and end")
    options = vars(parser.parse_args())
    if options.pop("detach"):
        _detach()
    try:
        serve(HubConfig(tokens_file=options.pop("tokens"), **options))
    except InputError as error:
        os.write(1, str(error).encode())
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
