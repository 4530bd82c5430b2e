"""What the scripts beside it share: each has libraries sign the requests that standard input describes in JSON, and
prints what a client would send then, byte for byte, in JSON too. Bodies are in base64 there. verify.py has libraries
verify them, and prints verdicts."""

import base64
import json
import sys


def run(clients):
    """Answers each request with what the function named by its "client" makes of it."""
    json.dump([clients[ask["client"]](Ask(ask)) for ask in json.load(sys.stdin)], sys.stdout)


class Ask:
    """A request to sign, and what to sign it with."""

    def __init__(self, ask):
        self.method, self.url, self.algorithm = ask["method"], ask["url"], ask["algorithm"]
        self.key, self.key_id = ask["key"], ask["keyId"]
        self.headers = ask["headers"] or {}
        self.body = base64.b64decode(ask["body"] or "")


def signed(method, url, headers, body=b""):
    """The request as it goes out; headers is a mapping or a list of pairs."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    return {
        "method": method,
        "url": url,
        "headers": [[text(name), text(value)] for name, value in pairs],
        "body": base64.b64encode(body or b"").decode(),
    }


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
