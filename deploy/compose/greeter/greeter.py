#!/usr/bin/env python3
"""Says hello over HTTP, on the socket that directcd has opened for it."""

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer

MESSAGE = "Hello (commit @COMMIT@)\n"


class Greeter(BaseHTTPRequestHandler):
    """Answers every GET with the greeting."""

    def do_GET(self) -> None:
        """The greeting, whatever the path."""
        body = MESSAGE.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("", 0), Greeter, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
