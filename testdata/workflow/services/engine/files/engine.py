"""A small workflow engine: it keeps installed workflows (packs) and what they did (runs), and runs them over HTTP.

Version 1 keeps a file for each pack and a log of runs; version 2 keeps both in SQLite. No version reads what the other
wrote: packs and runs go from one instance to another by /export and /import.
"""
import argparse
import ctypes
import http.server
import json
import pathlib
import signal
import socket
import socketserver
import sqlite3
import struct
import threading
import time
import uuid


class Files:
    """The store of version 1."""

    def __init__(self, folder):
        self.packs_at, self.log = folder / "packs", folder / "runs.jsonl"
        self.packs_at.mkdir(parents=True, exist_ok=True)
        self.log.touch()

    def packs(self):
        return {p.stem: json.loads(p.read_text()) for p in sorted(self.packs_at.glob("*.json"))}

    def runs(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def add(self, packs, runs):
        known = {run["id"] for run in self.runs()} if len(runs) > 1 else set()
        for name, pack in packs.items():
            (self.packs_at / (name + ".json")).write_text(json.dumps(pack))
        new = [run for run in runs if run["id"] not in known]
        with self.log.open("a") as log:
            log.writelines(json.dumps(run) + "\n" for run in new)
        return len(new)


class Database:
    """The store of version 2."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(folder / "engine.db", check_same_thread=False, isolation_level=None)
        self.db.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE IF NOT EXISTS packs (name TEXT PRIMARY KEY, pack TEXT NOT NULL);"
            "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, run TEXT NOT NULL);"
        )

    def packs(self):
        return {name: json.loads(pack) for name, pack in self.db.execute("SELECT name, pack FROM packs ORDER BY name")}

    def runs(self):
        return [json.loads(run) for (run,) in self.db.execute("SELECT run FROM runs ORDER BY rowid")]

    def add(self, packs, runs):
        self.db.execute("BEGIN")
        for name, pack in packs.items():
            self.db.execute("INSERT OR REPLACE INTO packs VALUES (?, ?)", (name, json.dumps(pack)))
        new = sum(self.db.execute("INSERT OR IGNORE INTO runs VALUES (?, ?)", (run["id"], json.dumps(run))).rowcount for run in runs)
        self.db.execute("COMMIT")
        return new


def carry_out(pack, given):
    """Run the steps of a workflow, each on the values so far."""
    values = {"who": "world", **given}
    for step in pack["steps"]:
        (what, arg), = step.items()
        if what == "set":
            values.update(arg)
        elif what == "say":
            values["result"] = arg.format(**values)
        elif what == "upper":
            values[arg] = values[arg].upper()
        elif what == "add":
            values[arg["to"]] = values.get(arg["to"], 0) + arg["number"]
        else:
            raise ValueError(f"unknown step {what}")
    return values


# A filter of the kernel's that drops what opens a connection (SYN) to an address of the network, and lets everything
# else pass.
FILTER = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0xFFF00000 + 16),  # the address that it is for, of the IP header
    (0x54, 0, 0, 0xFF000000),
    (0x15, 3, 0, 0x7F000000),  # is it of this host alone?
    (0x30, 0, 0, 13),  # the byte of TCP's flags
    (0x45, 0, 1, 2),  # is SYN among them?
    (0x06, 0, 0, 0),  # yes: keep nothing of it
    (0x06, 0, 0, 0xFFFFFFFF),
)))
PROGRAM = struct.pack("HL", 7, ctypes.addressof(FILTER))


class Engine(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, version, store):
        super().__init__(address, Handler)
        self.version, self.store, self.lock = version, store, threading.Lock()
        self.closing, self.until = False, 0.0
        self.connections = set()

    def pause(self, seconds):
        """Take no new connection for a time: what asks for one is dropped, so that TCP asks again a second later,
        wherever the address is by then. Connections that are open are served to their end."""
        self.until = time.monotonic() + seconds
        self.closing = True
        self.socket.setsockopt(socket.SOL_SOCKET, 26, PROGRAM)  # SO_ATTACH_FILTER
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with self.lock:
                idle = [h.connection for h in self.connections if not h.waits()]
                busy = len(self.connections) - len(idle)
            if busy <= 1:  # the one that asks
                break
            time.sleep(0.01)
        for connection in idle:
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                pass
        threading.Thread(target=self.wake, daemon=True).start()

    def wake(self):
        while time.monotonic() < self.until:
            time.sleep(0.05)
        self.resume()

    def resume(self):
        self.until = 0.0
        if self.closing:
            self.closing = False
            self.socket.setsockopt(socket.SOL_SOCKET, 27, 0)  # SO_DETACH_FILTER


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.busy, self.since = None, time.monotonic()  # None: nothing was asked yet
        with self.server.lock:
            self.server.connections.add(self)

    def finish(self):
        with self.server.lock:
            self.server.connections.discard(self)
        super().finish()

    def waits(self):
        """Whether somebody waits for an answer, or will: the first question follows a new connection at once."""
        return time.monotonic() - self.since < 0.5 if self.busy is None else self.busy

    def version_string(self):
        return "engine/" + self.server.version

    def log_message(self, *_):
        pass

    def answer(self, value, status=200):
        body = (json.dumps(value) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.closing:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.busy = False

    def do_GET(self):
        self.busy = True
        store = self.server.store
        if self.path == "/":
            self.run("greet", {})
        elif self.path == "/health":
            with self.server.lock:
                self.answer({"version": self.server.version, "packs": sorted(store.packs())})
        elif self.path == "/export":
            with self.server.lock:
                held = {"packs": store.packs(), "runs": store.runs()}
            self.answer(held)
        else:
            self.answer({"error": "there is no " + self.path}, 404)

    def do_POST(self):
        self.busy = True
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.path == "/import":
            with self.server.lock:
                new = self.server.store.add(given.get("packs", {}), given.get("runs", []))
            self.answer({"new": new})
        elif self.path.startswith("/run/"):
            self.run(self.path[len("/run/"):], given)
        elif self.path == "/pause":
            self.server.pause(given.get("seconds", 10))
            self.answer({"paused": True})
        elif self.path == "/resume":
            self.server.resume()
            self.answer({"paused": False})
        else:
            self.answer({"error": "there is no " + self.path}, 404)

    def run(self, name, given):
        with self.server.lock:
            pack = self.server.store.packs().get(name)
        if pack is None:
            self.answer({"error": "no pack " + name}, 404)
            return
        result = carry_out(pack, given).get("result")
        run = {"id": uuid.uuid4().hex, "pack": name, "result": result, "by": self.server.version}
        with self.server.lock:
            self.server.store.add({}, [run])
        self.answer(run)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--port", required=True, type=int)
    args = parser.parse_args()
    store = Files if args.version.startswith("1.") else Database
    engine = Engine(("0.0.0.0", args.port), args.version, store(args.data))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=engine.shutdown).start())
    engine.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
