#!/usr/bin/python3
"""The shop.

GET /                 what there is to buy, from the database
GET /version          the version that runs
GET /health           200 if the server itself can work, else 503 and why not; for balancers, which
                      would take every server away if the database counted
GET /health/all       the same, with the database
GET /news             a line each second, for as long as the reader stays

SIGTERM: it takes no more connections, ends the requests in flight, and goes.
"""

import configparser
import contextlib
import http.server
import json
import signal
import socket
import threading
import time

import psycopg2

import pages
from version import VERSION

config = configparser.ConfigParser()
config.read("/etc/shop.conf")
settings = config["shop"]
stopping = threading.Event()


class Database:
    """Connections to the database, as many as there are requests at once."""

    def __init__(self):
        self.idle = []

    def ask(self, question):
        """Gives what the question, a function of a cursor, answers. A connection may
        have ended since its last use; a new one is tried once."""
        with contextlib.suppress(IndexError, psycopg2.OperationalError, psycopg2.InterfaceError):
            return self.over(self.idle.pop(), question)
        connection = psycopg2.connect(settings["database"], connect_timeout=5)
        connection.autocommit = True
        return self.over(connection, question)

    def over(self, connection, question):
        try:
            with connection.cursor() as cursor:
                answer = question(cursor)
        except BaseException:
            connection.close()
            raise
        self.idle.append(connection)
        return answer


database = Database()


def schema(cursor):
    cursor.execute("SELECT max(version) FROM schema_version")
    found = cursor.fetchone()[0]
    if found < pages.SCHEMA:
        raise ValueError(f"the schema is {found}, shop {VERSION} needs {pages.SCHEMA}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"shop/{VERSION}"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece

    def do_GET(self):
        try:
            if self.path == "/news":
                self.news()
                return
            status, text = self.answer()
        except (psycopg2.Error, OSError, ValueError) as error:
            status, text = 503, f"{type(error).__name__}: {error}"
        body = (text.strip() + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.headers_of_all()
        self.wfile.write(body)

    def headers_of_all(self):
        self.send_header("X-Host", socket.gethostname())
        if stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()

    def answer(self):
        if self.path == "/":
            pages.visited(self.path)
            shown = {"version": VERSION, "products": database.ask(pages.products)}
            return 200, json.dumps(shown)
        if self.path == "/version":
            return 200, VERSION
        if self.path == "/health":
            pages.check()
            return 200, "ok"
        if self.path == "/health/all":
            pages.check()
            database.ask(schema)
            return 200, "ok"
        return 404, "not found"

    def news(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.headers_of_all()
        with contextlib.suppress(OSError):
            while not stopping.is_set():
                self.wfile.write(f"{time.time():.0f} nothing new\n".encode())
                self.wfile.flush()
                stopping.wait(1)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them
    request_queue_size = 128

    def __init__(self, address):
        self.open = set()  # connections
        super().__init__(address, Handler)

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_):
        pass  # readers go away

    def end(self):
        """Ends when every request has its answer. Who has connected already is served;
        connections that wait for a next request see the end of it, not an error."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.process_request(*self.socket.accept())
        self.socket.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        self.server_close()


server = Server((settings["address"], settings.getint("port")))


def stop(*_):
    stopping.set()
    threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, stop)
server.serve_forever(poll_interval=0.1)
server.end()
