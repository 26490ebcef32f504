#!/usr/bin/python3
"""The ledger: what a release does stands in release.py, beside this file.

GET /                 the balance of every account, from the database
GET /health           200 if the database has the schema that this release works with, else 503
"""

import configparser
import http.server
import json

import psycopg2

import release

config = configparser.ConfigParser()
config.read("/etc/ledger.conf")
settings = config["ledger"]


def ask(question):
    connection = psycopg2.connect(settings["database"], connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchall()
    finally:
        connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            schema = ask("SELECT max(version) FROM schema_version")[0][0]
            told = {"version": release.VERSION, "schema": schema}
            if schema != release.SCHEMA:
                raise ValueError(f"the schema is {schema}, ledger {release.VERSION} works with {release.SCHEMA}")
            if self.path == "/":
                told["balances"] = {account: str(balance) for account, balance in ask(release.BALANCES)}
            status = 200
        except (psycopg2.Error, ValueError) as error:
            status, told = 503, {"version": release.VERSION, "error": f"{error}".strip()}
        body = (json.dumps(told, sort_keys=True) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((settings["address"], settings.getint("port")), Handler).serve_forever()
