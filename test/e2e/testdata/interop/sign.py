"""Signs the requests described by the JSON on standard input with the http-message-signatures package, as it comes, and
prints the headers of each as JSON."""

import json
import sys
from types import SimpleNamespace

from http_message_signatures import HTTPMessageSigner, algorithms
from http_message_signatures.resolvers import MappingKeyResolver


def sign(ask):
    message = SimpleNamespace(method=ask["method"], url=ask["url"], headers={})
    signer = HTTPMessageSigner(
        signature_algorithm=getattr(algorithms, ask["algorithm"]),
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={ask["keyId"]: ask["key"].encode()}),
    )
    signer.sign(
        message,
        key_id=ask["keyId"],
        nonce=ask["nonce"],
        covered_component_ids=("@method", "@authority", "@path", "@query"),
        body=ask["body"].encode() if ask["body"] else None,
    )
    return message.headers


json.dump([sign(ask) for ask in json.load(sys.stdin)], sys.stdout)
