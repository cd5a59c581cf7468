#!/usr/bin/env python3
"""A service that knows nothing of Fairlead: the standard library, and nothing else.

    fairlead run --service greeting --port 5001 --health /health -- python3 greeting.py

It listens on the port in FAIRLEAD_PORT or PORT. `fairlead run` registers it,
asks for its health, keeps its lease, and has callers go elsewhere before it
passes SIGTERM on.
"""

import json
import os
import secrets
import signal
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

INSTANCE = os.environ.get("FAIRLEAD_INSTANCE", "")
INCARNATION = secrets.token_hex(8)  # tells this process from the one before it


class Requests:
    """The requests served and those under way, shared by all threads."""

    def __init__(self):
        self._changed = threading.Condition()
        self._by_method = Counter()
        self._under_way = 0

    @contextmanager
    def under_way(self):
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def add(self, method):
        """Counts a greeting and returns how many there are with it."""
        with self._changed:
            self._by_method[method] += 1
            return sum(self._by_method.values())

    def report(self):
        with self._changed:
            return {
                "instance": INSTANCE,
                "incarnation": INCARNATION,
                "served": sum(self._by_method.values()),
                "by_method": dict(self._by_method),
            }

    def wait_for_end(self, seconds):
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0, seconds)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open between requests
    disable_nagle_algorithm = True
    wbufsize = 16384  # headers and body leave together
    timeout = 120  # longer than callers keep an idle connection

    def do_GET(self):
        with self.server.requests.under_way():
            if self.discard_body():
                self.route(urlsplit(self.path).path)

    do_HEAD = do_GET

    def route(self, path):
        head, _, name = path.rpartition("/")
        if path == "/health":
            self.answer(200, {"status": "pass"}, "application/health+json")
        elif path == "/count":
            self.answer(200, self.server.requests.report())
        elif head == "/greetings" and name:
            self.greet(unquote(name))
        else:
            self.problem(404, "there is no such path")

    def greet(self, name):
        greeting = {"greeting": f"Hello, {name}!"}
        served = self.server.requests.add(self.command)
        request_id = self.headers.get("X-Request-Id")
        if request_id:
            greeting |= {
                "request_id": request_id,
                "instance": INSTANCE,
                "incarnation": INCARNATION,
                "served": served,
            }
        self.answer(200, greeting)

    def discard_body(self):
        """Reads what would be taken for the connection's next request."""
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.problem(411, "a body, if any, must have a Content-Length")
            return False
        try:
            left = int(self.headers.get("Content-Length", 0))
        except ValueError:
            self.close_connection = True
            self.problem(400, "Content-Length: must be a number")
            return False
        while left > 0:
            chunk = self.rfile.read(min(left, 65536))
            if not chunk:
                return False
            left -= len(chunk)
        return True

    def problem(self, status, detail):
        value = {"type": "about:blank", "status": status, "detail": detail}
        self.answer(status, value, "application/problem+json")

    def answer(self, status, value, media_type="application/json"):
        body = (json.dumps(value, ensure_ascii=False) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        request_id = self.headers.get("X-Request-Id")
        if request_id:
            self.send_header("X-Request-Id", request_id)
        if self.server.stopping.is_set() or self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass  # a line for each request is for whoever calls to write


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    # A thread waits on its connection for as long as the caller keeps it, so
    # the end waits for requests rather than for threads.
    daemon_threads = True
    block_on_close = False

    def __init__(self, address):
        super().__init__(address, Handler)
        self.requests = Requests()
        self.stopping = threading.Event()


def log(message, **fields):
    print(json.dumps({"msg": message, **fields}), file=sys.stderr, flush=True)


def main():
    port = int(os.environ.get("FAIRLEAD_PORT") or os.environ.get("PORT") or 0)
    server = Server(("127.0.0.1", port))

    def stop(*_):
        server.stopping.set()
        # shutdown waits for serve_forever, which this very thread runs.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log("serving", addr=f"127.0.0.1:{server.server_address[1]}")
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    server.requests.wait_for_end(seconds=10)
    log("requests served", **server.requests.report())


if __name__ == "__main__":
    main()
