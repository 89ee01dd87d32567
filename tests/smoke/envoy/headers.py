"""What headers say: the key, the caller's wishes, and how the body is sent."""

import gzip

from request import LEADS, Request, encoded, new_lead

# The key as integrations send it: see the contract.
KEYS = {
    "Bearer": {"authorization": "Bearer <key>"},
    "bearer": {"authorization": "bearer <key>"},
    "Basic": {"authorization": "Basic <key>"},
    "Basic in base64": {"authorization": "Basic <base64>"},
    "no scheme": {"authorization": "<key>"},
    "base64 alone": {"authorization": "<base64>"},
    "x-api-key": {"authorization": None, "x-api-key": "<key>"},
    "x-api-key that is wrong": {"authorization": None, "x-api-key": "nobody"},
    "an empty header": {"authorization": ""},
    "a scheme alone": {"authorization": "Bearer"},
    "another scheme": {"authorization": "Digest <key>"},
    "a key in the query": {"authorization": None},
    "metadata as grpc-gateway names it": {
        "authorization": None,
        "grpc-metadata-x-api-key": "<key>",
    },
}

HEADERS = {
    "Accept: anything else": {"accept": "text/html"},
    "Accept: nothing": {"accept": "image/png;q=0"},
    "an actor": {"x-actor-id": "staff_007"},
    "an actor with a blank": {"x-actor-id": "staff 007"},
    "an actor as metadata": {"grpc-metadata-x-actor-id": "staff 007"},
    "another header as metadata": {"grpc-metadata-x-foo": "v"},
    "a timeout": {"grpc-timeout": "20S"},
    "a timeout without a unit": {"grpc-timeout": "20"},
    "a timeout that is none": {"grpc-timeout": "soon"},
    "a timeout of nine digits": {"grpc-timeout": "123456789S"},
    "a request id of one's own": {"x-request-id": "01-my-request"},
    "a request id with blanks": {"x-request-id": "my request"},
    "a request id too long": {"x-request-id": "x" * 65},
    "no request id": {"x-request-id": None},
    "a trace": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    "a trace that is none": {"traceparent": "nothing"},
    "If-Match": {"if-match": '"1"'},
    "Idempotency-Key": {"idempotency-key": "k1"},
    "a method override": {"x-http-method-override": "DELETE"},
    "Prefer: handling=lenient": {"prefer": "handling=lenient"},
    "Prefer: handling=strict": {"prefer": "handling=strict"},
    "TE: trailers": {"te": "trailers"},
    "cookies": {"cookie": "a=b; c=d"},
    "a header of 5,000 letters": {"x-foo": "y" * 5000},
}

CONTENT_TYPES = {
    "none": None,
    "JSON": "application/json",
    "JSON in UTF-8": "application/json; charset=utf-8",
    "text": "text/plain;charset=UTF-8",
    "a form": "application/x-www-form-urlencoded",
    "a file": "application/octet-stream",
    "nonsense": "nonsense",
}


def requests():
    yield from keys()
    yield from others()
    yield from bodies()


def keys():
    for name, sent in KEYS.items():
        query = "?key=<key>" if name == "a key in the query" else ""
        yield Request(f"key: {name}", "GET", f"/v1/leads/lcus_001{query}", headers=sent)


def others():
    for name, sent in HEADERS.items():
        yield Request(f"header: {name}", "GET", "/v1/leads/lcus_001", headers=sent)
        yield Request(f"header, lead not there: {name}", "GET", "/v1/leads/lcus_000", headers=sent)


def bodies():
    body = encoded(new_lead('"Ada"'))
    for name, sent in CONTENT_TYPES.items():
        yield Request(f"content type: {name}", "POST", LEADS, body, {"content-type": sent})
    strict = {"prefer": "handling=strict"}
    yield Request("strict: a known key", "POST", LEADS, body, strict)
    unknown = encoded(new_lead('"Ada"', ', "nothing": 5'))
    yield Request("strict: an unknown key", "POST", LEADS, unknown, strict)
    yield Request("lenient: an unknown key", "POST", LEADS, unknown, {"prefer": "handling=lenient"})
    yield Request("chunks: a good body", "POST", LEADS, body, chunked=True)
    yield Request("chunks: a body cut off", "POST", LEADS, body[:-2], chunked=True)
    yield Request("chunks: no body", "POST", LEADS, b"", chunked=True)
    gzipped = {"content-encoding": "gzip"}
    yield Request("gzip: a good body", "POST", LEADS, gzip.compress(body, mtime=0), gzipped)
    yield Request("gzip: a body that is not", "POST", LEADS, body, gzipped)
