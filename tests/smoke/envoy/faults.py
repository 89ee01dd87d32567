"""What leash's answers must have, whatever Envoy says."""

import re

from answer import REQUEST_ID

# google.rpc.Code by HTTP status.
CODES = {400: {3, 9, 11}, 401: {16}, 403: {7}, 404: {5}, 405: {12}, 409: {6, 10}, 413: {8}}
CODES |= {429: {8}, 499: {1}, 500: {2, 13, 15}, 501: {12}, 503: {14}, 504: {4}}


def faults(request, answer):
    yield from faulty_headers(request, answer)
    if request.verb == "HEAD" or answer.status == 204:
        return
    if not isinstance(answer.body, dict):
        yield f"the body is no JSON object: {answer.text[:200]!r}"
    elif answer.status != 200:
        yield from faulty_error(answer)


def faulty_headers(request, answer):
    content_type = answer.headers.get("content-type")
    if content_type != "application/json" and answer.status != 204:
        yield f"the content type is {content_type}"
    sent, received = (
        request.headers.get("x-request-id", REQUEST_ID),
        answer.headers.get("x-request-id"),
    )
    if not received:
        yield "there is no request id"
    elif sent and re.fullmatch(r"[!-~]{1,64}", sent) and received != sent:
        yield f"the request id is {received}, not {sent}"
    for status, name in {401: "www-authenticate", 405: "allow"}.items():
        if answer.status == status and not answer.headers.get(name):
            yield f"there is no header {name}"


def faulty_error(answer):
    error = answer.body
    if set(error) != {"code", "message", "details"} or not error["message"]:
        yield f"the error is not a code, a message and details: {error}"
        return
    if error["code"] not in CODES.get(answer.status, ()):
        yield f"the code is {error['code']}"
    details = {entry["@type"].rpartition(".")[2]: entry for entry in error["details"]}
    if details.get("ErrorInfo", {}).get("domain") != "leash":
        yield "there is no ErrorInfo of leash"
    if details.get("RequestInfo", {}).get("requestId") != answer.headers.get("x-request-id"):
        yield "there is no RequestInfo with the request's id"
