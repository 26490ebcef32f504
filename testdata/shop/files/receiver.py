#!/usr/bin/env python3
"""Appends every line that it is sent to a file."""

import http.server
import pathlib
import sys

home, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        line = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with (home / "received").open("a") as received:
            received.write(line + "\n")
        self.do_GET()

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


http.server.HTTPServer(("0.0.0.0", port), Handler).serve_forever()
