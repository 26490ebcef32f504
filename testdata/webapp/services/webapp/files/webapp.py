#!/usr/bin/env python3
"""Serves the revision that it was started with at /version and its health at /health."""

import configparser
import http.server
import pathlib
import signal
import socket
import sys

home = pathlib.Path(sys.argv[1])
config = configparser.ConfigParser()
config.read(home / "webapp.conf")
settings = config["webapp"]
revision = pathlib.Path(__file__).resolve().with_name("REVISION").read_text().strip()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        pages = {
            "/": f"{socket.gethostname()} of {settings['cluster']} serves {revision}",
            "/version": revision,
            "/health": "ok",
        }
        page = pages.get(self.path)
        body = ((page or "not found") + "\n").encode()
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer((settings["address"], settings.getint("port")), Handler).serve_forever()
