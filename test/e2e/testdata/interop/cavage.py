"""Three libraries sign with draft-cavage-http-signatures, each with another of its revisions in mind."""

import base64
import email.utils
import hashlib
from urllib.parse import urlsplit

import http_signature_client
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from httpsig.requests_auth import HTTPSignatureAuth
from requests_http_signature import HTTPSignatureAuth as LaterAuth
from requests_http_signature import HTTPSignatureHeaderAuth

from driver import run, signed


def fields(ask):
    headers = {"Date": email.utils.formatdate(usegmt=True), "X-Extra": "one"}
    if ask.body:
        headers["Digest"] = "SHA-256=" + base64.b64encode(hashlib.sha256(ask.body).digest()).decode()
    return headers


def cover(headers):
    return ["(request-target)", "host", *(name.lower() for name in headers)]


def httpsig(ask):
    headers = fields(ask)
    auth = HTTPSignatureAuth(ask.key_id, ask.key, ask.algorithm, cover(headers))
    sent = requests.Request(ask.method, ask.url, headers, data=ask.body, auth=auth).prepare()
    return signed(sent.method, sent.url, sent.headers, sent.body)


def requests_http_signature(auth):
    def sign(ask):
        headers = fields(ask)
        how = auth(ask.key, ask.key_id, ask.algorithm, cover(headers))
        sent = requests.Request(ask.method, ask.url, headers, data=ask.body or None, auth=how).prepare()
        return signed(sent.method, sent.url, sent.headers, sent.body)

    return sign


def signature_client(ask):
    key = load_pem_private_key(ask.key.encode(), None)
    url = urlsplit(ask.url)
    headers = (("Host", url.netloc), *fields(ask).items())
    sent = http_signature_client.sign_headers(ask.key_id, key.sign, ask.method, f"{url.path}?{url.query}", headers)
    return signed(ask.method, ask.url, sent, ask.body)


run({
    "httpsig": httpsig,
    "requests-http-signature": requests_http_signature(LaterAuth),
    "requests-http-signature header": requests_http_signature(HTTPSignatureHeaderAuth),
    "http-signature-client": signature_client,
})
