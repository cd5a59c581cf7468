"""A server that is healthy once a file is there: moody.py FILE

It says on standard error whenever it is asked for its health.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        well = os.path.exists(sys.argv[1])
        print("asked, and", "well" if well else "unwell", file=sys.stderr, flush=True)
        self.send_response(200 if well else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
