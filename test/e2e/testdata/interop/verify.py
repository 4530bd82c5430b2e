"""Libraries verify requests. Those that only sign do so once more, of the same time and nonce. The digest of a body that a
field carries is made anew, for some do not compare it."""

import base64
import hashlib
import warnings
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

from aliyun_api_gateway.signing import build_string_to_sign, canonicalize_resource, content_md5, sign_string
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from http_message_signatures import HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import MappingKeyResolver
from requests.structures import CaseInsensitiveDict
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature

from driver import run

warnings.simplefilter("ignore")  # httpsig asks setuptools for its own version
from httpsig import HeaderVerifier  # noqa: E402


def rfc9421(ask):
    keys = MappingKeyResolver(public_keys={ask.key_id: ask.key.encode()}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)
    return verifier.verify(SimpleNamespace(method=ask.method, url=ask.url, headers=ask.headers), body=ask.body)


def sigv4(ask):
    headers = CaseInsensitiveDict(ask.headers)
    authorization = headers.pop("Authorization")
    headers["X-Amz-Content-Sha256"] = hashlib.sha256(ask.body).hexdigest()
    request = AWSRequest(ask.method, ask.url, headers=headers, data=ask.body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(ask.key_id, ask.key), "execute-api", "eu-central-1")
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return authorization.endswith("Signature=" + signature)


def cavage(ask):
    url = urlsplit(ask.url)
    headers = {**ask.headers, "Digest": "SHA-256=" + base64.b64encode(hashlib.sha256(ask.body).digest()).decode()}
    target, required = f"{url.path}?{url.query}", ["(request-target)", "host", "date", "digest"]
    return HeaderVerifier(headers, ask.key, required, ask.method, target, url.netloc).verify()


def x_ca(ask):
    headers, url = {name.lower(): value for name, value in ask.headers.items()}, urlsplit(ask.url)
    headers["content-md5"] = content_md5(ask.body)
    resource = canonicalize_resource(url.path, parse_qsl(url.query))
    text = build_string_to_sign(ask.method, headers, resource, headers["x-ca-signature-headers"].split(","))
    return headers["x-ca-signature"] == sign_string(text, ask.key)


def stripe(ask):
    return WebhookSignature.verify_header(ask.body, ask.headers["Stripe-Signature"], ask.key, 300)


def slack(ask):
    return SignatureVerifier(ask.key).is_valid_request(ask.body, ask.headers)


def standard_webhooks(ask):
    return Webhook(ask.key).verify(ask.body, ask.headers)


def verdict(verifies):
    def judge(ask):
        try:
            return "" if verifies(ask) else "it does not verify"
        except Exception as e:  # each library has its own
            return repr(e)

    return judge


run({
    "rfc9421": verdict(rfc9421),
    "sigv4": verdict(sigv4),
    "cavage": verdict(cavage),
    "x-ca": verdict(x_ca),
    "stripe": verdict(stripe),
    "slack": verdict(slack),
    "standard-webhooks": verdict(standard_webhooks),
})
