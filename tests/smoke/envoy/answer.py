"""Asking one side."""

import base64
import http.client
import json
from dataclasses import dataclass

SECONDS = 60

# Sent with every request, so that both answers can be the same to the last letter.
REQUEST_ID = "the-same-on-both-sides"


@dataclass
class Answer:
    status: int
    headers: dict
    text: bytes
    body: object
    """What its JSON says, or None."""

    def __str__(self):
        if isinstance(self.body, dict) and self.status != 200:
            return f"{self.status} code {self.body.get('code')}"
        return str(self.status) if self.body is not None else f"{self.status} text"


def ask(address, key, request, prepared):
    path, body = request.about({**prepared, "key": key})
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
    try:
        connection.putrequest(request.verb, path, skip_accept_encoding=True)
        for name, value in headers(request, key).items():
            connection.putheader(name, value)
        if request.chunked:
            connection.putheader("transfer-encoding", "chunked")
        elif body is not None:
            connection.putheader("content-length", str(len(body)))
        try:
            connection.endheaders()
            send(connection, body, request.chunked)
        except OSError:
            pass  # An answer may come before the end of the request.
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, {}, str(error).encode(), None)
    finally:
        connection.close()
    received = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, received, text, parsed(text))


def headers(request, key):
    sent = {"authorization": f"Bearer {key}", "x-request-id": REQUEST_ID}
    if request.body is not None:
        sent["content-type"] = "application/json"
    sent |= request.headers
    in_base64 = base64.b64encode(key.encode()).decode()
    return {
        name: value.replace("<key>", key).replace("<base64>", in_base64)
        for name, value in sent.items()
        if value is not None
    }


def send(connection, body, chunked):
    if not chunked:
        if body:
            connection.send(body)
        return
    size = 10
    for start in range(0, len(body), size):
        chunk = body[start : start + size]
        connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    connection.send(b"0\r\n\r\n")


def parsed(text):
    """The JSON in `text`; a key twice or a NaN is not JSON here."""
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refused)
    except ValueError:
        return None


def unique(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def refused(constant):
    raise ValueError(constant)
