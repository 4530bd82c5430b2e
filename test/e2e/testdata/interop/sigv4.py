"""botocore and requests-aws4auth sign with AWS Signature Version 4."""

import requests
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests_aws4auth import AWS4Auth

from driver import run, signed

REGION = "eu-central-1"


def botocore(auth, service, **options):
    def sign(ask):
        request = AWSRequest(ask.method, ask.url, headers={"X-Extra": "one"}, data=ask.body)
        auth(Credentials(ask.key_id, ask.key), service, REGION, **options).add_auth(request)
        sent = request.prepare()
        return signed(sent.method, sent.url, sent.headers, sent.body)

    return sign


def aws4auth(ask):
    auth = AWS4Auth(ask.key_id, ask.key, REGION, "execute-api", include_hdrs=["*"])
    sent = requests.Request(ask.method, ask.url, {"X-Extra": "one"}, data=ask.body, auth=auth).prepare()
    return signed(sent.method, sent.url, sent.headers, sent.body)


run({
    "botocore": botocore(SigV4Auth, "execute-api"),
    "botocore presigned": botocore(SigV4QueryAuth, "execute-api", expires=60),
    "botocore s3": botocore(S3SigV4Auth, "s3"),
    "requests-aws4auth": aws4auth,
})
