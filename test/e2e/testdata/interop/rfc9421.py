"""http-message-signatures signs with HTTP Message Signatures (RFC 9421)."""

import secrets
from types import SimpleNamespace

from http_message_signatures import HTTPMessageSigner, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

from driver import run, signed


def sign(ask):
    message = SimpleNamespace(method=ask.method, url=ask.url, headers={"X-Extra": "one"})
    signer = HTTPMessageSigner(
        signature_algorithm=getattr(algorithms, ask.algorithm),
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={ask.key_id: ask.key.encode()}),
    )
    signer.sign(
        message,
        key_id=ask.key_id,
        nonce=secrets.token_hex(),
        covered_component_ids=("@method", "@authority", "@path", "@query", "x-extra"),
        body=ask.body or None,
    )
    return signed(ask.method, ask.url, message.headers, ask.body)


run({"http-message-signatures": sign})
