"""The requests that both sides are asked: what they have in common."""

import json
import re
from dataclasses import dataclass, field

LEADS = "/v1/leads"
LEAD = f"{LEADS}/<lead>"
LIST_LEADS = f"{LEADS}:list"
CUSTOMER = "/v1/customers/<customer>"
LIST_CUSTOMERS = "/v1/customers:list"
FIELDS = "/v1/setting/companies/cmp_001/custom_fields"


@dataclass(frozen=True)
class Request:
    """One request. `<lead>` and its like, in the path or the body, stand for what is prepared."""

    name: str
    verb: str
    path: str
    body: bytes | None = None
    headers: dict = field(default_factory=dict)
    """Beside the key, the request id and the content type; None takes one of these away."""
    chunked: bool = False

    @property
    def writes(self):
        """Whether it may change something, so that each side needs a thing of its own."""
        is_list = self.path.partition("?")[0].endswith(":list")
        return self.verb not in {"GET", "HEAD", "OPTIONS"} and not (
            is_list or self.path.startswith("/v1/setting/")
        )

    def needs(self):
        text = self.path.encode() + (self.body or b"")
        return {name.decode() for name in re.findall(rb"<([a-z]+)>", text)}

    def about(self, prepared):
        """The path and the body for one side."""
        path, body = self.path, self.body
        for name in self.needs():
            path = path.replace(f"<{name}>", prepared[name])
            body = body and body.replace(f"<{name}>".encode(), prepared[name].encode())
        return path, body


def encoded(body):
    """Bytes and text are sent as they are, everything else as JSON."""
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body, ensure_ascii=False).encode()


def new_lead(first_name, more=""):
    """The text of a lead whose first name is the JSON text `first_name`."""
    return f'{{"lead": {{"firstName": {first_name}, "phone": "+12125550100"{more}}}}}'
