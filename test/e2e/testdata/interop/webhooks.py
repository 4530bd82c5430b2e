"""The senders of webhooks sign: Stripe's, Slack's and the Standard Webhooks libraries, and GitHub's documented recipe."""

import hashlib
import hmac
import secrets
import time
from datetime import datetime, timezone

from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature

from driver import run, signed

JSON = ("Content-Type", "application/json")


def stripe(ask):
    header = WebhookSignature.generate_signature_header(ask.body.decode(), ask.key)
    return signed(ask.method, ask.url, [JSON, ("Stripe-Signature", header)], ask.body)


def slack(ask):
    at = str(int(time.time()))
    signature = SignatureVerifier(ask.key).generate_signature(timestamp=at, body=ask.body)
    headers = [JSON, ("X-Slack-Request-Timestamp", at), ("X-Slack-Signature", signature)]
    return signed(ask.method, ask.url, headers, ask.body)


def standardwebhooks(ask):
    name, at = "msg_" + secrets.token_hex(), datetime.now(timezone.utc)
    headers = [
        JSON,
        ("webhook-id", name),
        ("webhook-timestamp", int(at.timestamp())),
        ("webhook-signature", Webhook(ask.key).sign(name, at, ask.body.decode())),
    ]
    return signed(ask.method, ask.url, headers, ask.body)


def github(ask):
    """docs.github.com, "Validating webhook deliveries"."""
    signature = "sha256=" + hmac.new(ask.key.encode(), ask.body, hashlib.sha256).hexdigest()
    headers = [
        JSON,
        ("X-GitHub-Event", "ping"),
        ("X-GitHub-Delivery", secrets.token_hex()),
        ("X-Hub-Signature-256", signature),
    ]
    return signed(ask.method, ask.url, headers, ask.body)


run({"stripe": stripe, "slack_sdk": slack, "standardwebhooks": standardwebhooks, "github": github})
