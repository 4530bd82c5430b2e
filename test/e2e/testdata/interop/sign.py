"""Signs the request described by the JSON on standard input with the http-message-signatures package, as it comes, and
prints the message's headers as JSON."""

import json
import sys
from types import SimpleNamespace

from http_message_signatures import HTTPMessageSigner, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

ask = json.load(sys.stdin)
key = ask["key"].encode()
message = SimpleNamespace(method=ask["method"], url=ask["url"], headers=dict(ask["headers"]))
signer = HTTPMessageSigner(
    signature_algorithm=getattr(algorithms, ask["algorithm"]),
    key_resolver=MappingKeyResolver(public_keys={}, private_keys={ask["keyId"]: key}),
)
signer.sign(
    message,
    key_id=ask["keyId"],
    nonce=ask["nonce"],
    covered_component_ids=ask["cover"],
    body=ask["body"].encode() if ask["body"] else None,
)
json.dump(message.headers, sys.stdout)
