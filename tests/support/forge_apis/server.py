"""An HTTP server that answers by routes, counts what may still be asked, and fails when told to."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PAGE_MOST = 100
TOKEN = "forge-token-0c9f41"


@dataclass(frozen=True)
class Asked:
    """One request as its route sees it: groups of its path, its query, the JSON of its body."""

    method: str
    path: str
    groups: tuple[str, ...]
    query: Mapping[str, str]
    document: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Asked], Answer]


class ApiServer:
    """
    Answers below one address until it is closed.

    Attributes:
        requests: method and path (with its query) of every request so far.
        fail_next: answers to give instead of the routes', the next first.
        remaining: how many more requests are answered; None: any number.
        reset_at: when that begins anew, in Unix seconds.
        token: what a caller must have.
        is_allowed: whether the token may administer anything.
        public: paths that everybody may ask.
        unchanged: how often was answered that nothing has.
    """

    prefix = ""
    scheme = "Bearer"
    rate_headers = "x-ratelimit-"

    def __init__(self) -> None:
        self.token = TOKEN
        self.is_allowed = True
        self.public: frozenset[str] = frozenset()
        self.unchanged = 0
        self.requests: list[tuple[str, str]] = []
        self.fail_next: list[Answer] = []
        self.remaining: int | None = None
        self.limit = 5000
        self.reset_at = 0
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []
        handler = type("Handler", (_Handler,), {"api": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.lock = threading.RLock()
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()

    def route(self, method: str, pattern: str, answer: Route) -> None:
        """Answer requests to paths of this form; each `{}` is one part of a path."""
        form = re.escape(pattern).replace(r"\{\}", "([^/]+)")
        self._routes.append((method, re.compile(form), answer))

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one request."""
        with self.lock:
            self.requests.append((method, target))
            if self.fail_next:
                return self.fail_next.pop(0)
            known = headers.get("authorization") == f"{self.scheme} {self.token}"
            if not known and target not in self.public:
                return Answer(401, {"message": "Bad credentials"})
            return self._limited(self._routed(method, target, body), headers)

    def _routed(self, method: str, target: str, body: bytes) -> Answer:
        parts = urlsplit(target)
        path = parts.path.removeprefix(self.prefix)
        for known, form, route in self._routes:
            if known == method and (match := form.fullmatch(path)):
                document = json.loads(body) if body else {}
                query = dict(parse_qsl(parts.query))
                return route(Asked(method, path, match.groups(), query, document))
        return Answer(404, {"message": "Not Found"})

    def _limited(self, answer: Answer, headers: Mapping[str, str]) -> Answer:
        """With an ETag, which is free when it is known, and with what may still be asked."""
        more = dict(answer.headers)
        if answer.status == 200:
            text = json.dumps([answer.document, more.get("link", "")]).encode()
            more["etag"] = f'W/"{hashlib.sha256(text).hexdigest()[:16]}"'
            if headers.get("if-none-match") == more["etag"]:
                self.unchanged += 1
                return Answer(304, None, more)
        if self.remaining is None:
            return Answer(answer.status, answer.document, more)
        if self.remaining <= 0:
            return Answer(403, {"message": "API rate limit exceeded"}, self._rates())
        self.remaining -= 1
        return Answer(answer.status, answer.document, more | self._rates())

    def _rates(self) -> dict[str, str]:
        told = {"limit": self.limit, "remaining": self.remaining, "reset": self.reset_at}
        return {f"{self.rate_headers}{name}": str(value) for name, value in told.items()}

    def page(self, asked: Asked, found: list[Any], *, size: str, most: int = PAGE_MOST) -> Answer:
        """One page of a list, and where the next is."""
        length = min(int(asked.query.get(size, "30")), most)
        number = int(asked.query.get("page", "1"))
        start = (number - 1) * length
        headers = {}
        if start + length < len(found):
            query = f"{size}={length}&page={number + 1}"
            headers["link"] = f'<{self.url}{asked.path}?{query}>; rel="next"'
        return Answer(200, found[start : start + length], headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # head and body in one piece, or the second waits for an ACK
    api: ApiServer

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.api.answer(self.command, self.path, headers, body)
        text = b"" if answer.document is None else json.dumps(answer.document).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - their names there

    def log_message(self, *_: object) -> None:
        """Say nothing."""
