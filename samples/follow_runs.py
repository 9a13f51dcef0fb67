"""Prints a line for every run that ends: `python samples/follow_runs.py 8000`. See docs/events.md."""

import http.server
import json
import sys

seen = {}


class Follower(http.server.BaseHTTPRequestHandler):
    def do_OPTIONS(self):  # Event Grid asks first whether it may send events
        self.send_response(200)
        self.send_header("WebHook-Allowed-Origin", self.headers["WebHook-Request-Origin"])
        self.end_headers()

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if seen.setdefault(event["id"], event) is event:  # an event may come twice, also at once
            print(f"{event['subject']} {event['data']['state']}\n", end="", flush=True)
        self.send_response(200)  # anything else, and Event Grid sends it again
        self.end_headers()


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Follower).serve_forever()
