"""Two libraries for Alibaba Cloud API Gateway sign as that gateway's apps do."""

from urllib.parse import parse_qsl, urlsplit

from aliyun_api_gateway import ApiGatewayClient, ApiGatewayRequest
from kraken_aliyun_api_gateway_sdk.com.aliyun.api.gateway.sdk.client import DefaultClient
from kraken_aliyun_api_gateway_sdk.com.aliyun.api.gateway.sdk.http.request import Request

from driver import run, signed


def parts(ask):
    url = urlsplit(ask.url)
    return f"{url.scheme}://{url.netloc}", f"{url.path}?{url.query}"


def aliyun(ask):
    origin, target = parts(ask)
    content = {"body": ask.body, "content_type": "application/json"} if ask.body else {}
    return send(ask, origin, target, content)


def aliyun_form(ask):
    origin, target = parts(ask)
    return send(ask, origin, target, {"form": parse_qsl(ask.body.decode())})


def send(ask, origin, target, content):
    client = ApiGatewayClient(origin, ask.key_id, ask.key, signature_method=ask.algorithm)
    sent = client.sign(ApiGatewayRequest(
        ask.method, target, headers={"X-Extra": "one"}, additional_signed_headers=["X-Extra"], **content))
    return signed(sent.method, sent.url, sent.headers, sent.body)


def kraken(ask):
    """A port of the vendor's own Python demonstration."""
    origin, target = parts(ask)
    request = Request(host=origin, url=target, method=ask.method, headers={})
    return signed(ask.method, ask.url, DefaultClient(ask.key_id, ask.key).build_headers(request))


run({"aliyun-api-gateway-python": aliyun, "aliyun-api-gateway-python form": aliyun_form, "kraken": kraken})
