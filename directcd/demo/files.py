"""The files of the small repository that the demo delivers."""

PROGRAM = '''\
#!/usr/bin/env python3
"""Says hello over HTTP. Old and new run side by side for a moment, hence SO_REUSEPORT."""

import http.server
import socket
import sys

MESSAGE = "{message} (commit @COMMIT@)"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = MESSAGE.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''

BUILD = """\
#!/bin/sh
# directcd runs `build.sh build`, then `build.sh artifact`, whose last line names the result.
set -eu
case $1 in
build)
    mkdir -p out
    sed "s/@COMMIT@/$DIRECTCD_COMMIT/" greeter.py >out/greeter
    chmod +x out/greeter
    ;;
artifact)
    echo out/greeter
    ;;
esac
"""

# Filled in with % because TOML and the paths in it are full of braces and dots.
CONFIG = """\
[hub]
listen = "127.0.0.1:%(hub_port)d"
data = "%(root)s/hub"
public_url = "http://127.0.0.1:%(hub_port)d"

[hub.sources.main]
provider = "github"
secrets_files = ["%(root)s/secret"]

[server]
listen = "127.0.0.1:%(server_port)d"
data = "%(root)s/server"
hub = "http://127.0.0.1:%(hub_port)d"
poll_interval_seconds = %(poll_interval_seconds)g

[[target]]
name = "greeter"
repositories = [{ url = "%(repository_url)s", ref = "main" }]

[client]
servers = ["http://127.0.0.1:%(server_port)d"]
target = "greeter"
data = "%(root)s/client"
hub = "http://127.0.0.1:%(hub_port)d"
args = ["%(program_port)d"]
settle_seconds = 0.2
stop_timeout_seconds = 5
"""

# %(python)s and the rest are absolute paths of this very run.
HOOK = """\
#!/bin/sh
exec "%(python)s" -m directcd.demo.receive_hook \\
    "%(webhook_url)s" "%(root)s/secret" "%(repository_url)s"
"""


def program(message: str) -> str:
    """The program's source, saying `message`."""
    return PROGRAM.replace("{message}", message)
