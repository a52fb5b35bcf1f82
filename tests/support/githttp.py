"""A real git smart-HTTP server: `git http-backend` behind http.server."""

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit


class GitServer:
    """
    Serves the repositories of a directory; with a user, only to who knows the password.

    Attributes:
        requests: Method and path of every request so far.
        fail_next: Statuses to answer instead of git, the next first.
        redirect_to: Another address, without a slash at its end, that is named in answer.
        logins: What was sent to say who asks.
        echoes: Whether a refusal says what was sent.
        protocol: Which of the protocol's versions it knows, as the header says; None: all.
        on_request: Called while the one who asks is waiting.
    """

    def __init__(
        self,
        root: Path,
        *,
        user: str = "",
        password: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Listen at once; port 0 takes a free one."""
        self.root = root
        self.user = user
        self.requests: list[tuple[str, str]] = []
        self.logins: list[str] = []
        self.echoes = False
        self.protocol: str | None = None
        self.fail_next: list[int] = []
        self.redirect_to = ""
        self.on_request: Callable[[], object] = lambda: None
        self.wanted = _basic(user, password) if user else None
        handler = type("Handler", (GitHandler,), {"git": self})
        self._http = ThreadingHTTPServer((host, port), handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def url(self, name: str, user: str = "", password: str = "") -> str:
        """The address of a repository, with a credential if one is given."""
        credential = f"{user}:{password}@" if user else ""
        return f"http://{credential}127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @classmethod
    @contextmanager
    def serving(
        cls, root: Path, *, user: str = "", password: str = "", port: int = 0
    ) -> Iterator[Self]:
        """A server for the length of a `with` block."""
        server = cls(root, user=user, password=password, port=port)
        try:
            yield server
        finally:
            server.close()


class GitHandler(BaseHTTPRequestHandler):
    """Answers one request to `git`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: no wait for a delayed acknowledgement
    git: GitServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer as git http-backend does."""
        body = self._body()
        self.git.requests.append((self.command, self.path))
        self.git.logins += self.headers.get_all("Authorization", [])
        self.git.on_request()
        if self.git.fail_next:
            self._send(self.git.fail_next.pop(0))
        elif self.git.redirect_to:
            self._send(301, [("Location", self.git.redirect_to + self.path)])
        elif self.git.wanted not in {None, self.headers.get("Authorization")}:
            self._refuse()
        else:
            self._send(*_parsed(self._backend(body)))

    def _refuse(self) -> None:
        said = " ".join(self.git.logins[-1:]) if self.git.echoes else ""
        for login in self.git.logins[-1:]:
            said += " " + base64.b64decode(login.removeprefix("Basic ")).decode()
        headers = [("WWW-Authenticate", 'Basic realm="git"'), ("Content-Type", "text/plain")]
        self._send(401, headers, said.encode() if self.git.echoes else b"")

    do_POST = do_GET  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in {b"\r\n", b""}:
            pass
        return bytes(chunks)

    def _protocol(self) -> str:
        asked: str = self.headers.get("Git-Protocol", "")
        return asked if self.git.protocol is None else self.git.protocol

    def _backend(self, body: bytes) -> bytes:
        url = urlsplit(self.path)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.git.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROTOCOL": self._protocol(),
            "PATH_INFO": unquote(url.path),
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": self.git.user or "somebody",
        }
        argv = ["git", "-c", "safe.directory=*", "http-backend"]
        return subprocess.run(argv, input=body, env=env, stdout=subprocess.PIPE, check=False).stdout

    def _send(
        self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _parsed(answer: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of a CGI answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    pairs = [line.partition(": ")[::2] for line in head.decode().splitlines()]
    status = next((value for name, value in pairs if name == "Status"), "200")
    headers = [(name, value) for name, value in pairs if name and name != "Status"]
    return int(status.split()[0]), headers, body
