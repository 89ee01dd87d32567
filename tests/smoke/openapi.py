"""The description of the API, and whether a fresh `leash demo` keeps to it.

A public validator reads the description; then every operation is called with its example, and what is sent and what
is answered, errors too, is checked against the schemas. Prints a line for each step and ends with exit code 1 where
something is not as described.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from urllib.parse import quote

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

# What others need, and what takes away what others need.
FIRST = ["CustomerService_CreateCustomer", "CustomerService_AppendCustomerNotes"]
LAST = ["CustomerService_DeleteCustomerNote", "LeadService_PromoteLead"]

# What is answered with anything but 200.
ANSWERS = {"CustomerService_GenCustomerCofLink": 501}

URI = "urn:openapi"

SECONDS = 20


class Description:
    """The document, its operations by their ids, and what is at a place in it."""

    def __init__(self, document):
        self.document = document
        resource = Resource.from_contents(closed(document), default_specification=DRAFT202012)
        self.registry = Registry().with_resource(URI, resource)
        self.operations = {
            operation["operationId"]: (path, verb)
            for path, verbs in document["paths"].items()
            for verb, operation in verbs.items()
        }

    def at(self, *place):
        """What is there, and its place; behind references."""
        node = self.document
        for name in place:
            node = node[name]
        if "$ref" in node:
            return self.at(*node["$ref"].removeprefix("#/").split("/"))
        return node, place

    def check(self, value, place, what):
        """Checks a value against the schema of a body."""
        names = [*place, "content", "application/json", "schema"]
        pointer = "/".join(name.replace("~", "~0").replace("/", "~1") for name in names)
        validator = OAS31Validator(
            {"$ref": f"{URI}#/{quote(pointer)}"},
            registry=self.registry,
            format_checker=oas31_format_checker,
        )
        for error in validator.iter_errors(value):
            raise Mismatch(f"{what}: {error.json_path}: {error.message}")


def closed(node):
    """The document, but that objects have no fields that are not described."""
    if isinstance(node, list):
        return [closed(part) for part in node]
    if not isinstance(node, dict):
        return node
    copy = {name: closed(part) for name, part in node.items()}
    if copy.get("type") == "object" and "properties" in copy:
        copy["additionalProperties"] = False
    return copy


class Mismatch(Exception):
    """Something that is not as described."""


def fetch(target, path, verb="GET", key=None, body=None):
    """The status and the JSON of an answer."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{target}{path}", data=data, method=verb.upper(), headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def learn(operation_id, answer, ids):
    """Remembers what became of what the examples call by an id of their own."""
    if operation_id == "CustomerService_CreateCustomer":
        ids["cus_001"] = answer["id"]
    elif operation_id == "CustomerService_AppendCustomerNotes":
        ids["note_001"] = answer["notes"][0]["id"]


def call(description, target, key, operation_id, ids):
    """Calls an operation with its example. The status, which has to be one of those that are described, and the answer."""
    path, verb = description.operations[operation_id]
    operation, place = description.at("paths", path, verb)
    for parameter in operation["parameters"]:
        if parameter.get("in") == "path":
            value = ids.get(parameter["example"], parameter["example"])
            path = path.replace("{%s}" % parameter["name"], value)
    body = None
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["example"]
        description.check(body, [*place, "requestBody"], "the request")
    status, answer = fetch(target, path, verb, key, body)
    if str(status) not in operation["responses"]:
        raise Mismatch(f"the status {status} is not described: {answer}")
    _, response = description.at(*place, "responses", str(status))
    description.check(answer, response, "the answer")
    return status, answer


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--target", required=True, metavar="HOST:PORT")
    arguments.add_argument("--key", required=True)
    given = arguments.parse_args()

    _, document = fetch(given.target, "/openapi.json")
    validate(document)
    print("ok      the description is valid OpenAPI", flush=True)

    description = Description(document)
    ids, failures = {}, 0
    others = sorted(set(description.operations) - {*FIRST, *LAST})
    for operation_id in [*FIRST, *others, *LAST]:
        for key, expected in [(None, 401), (given.key, ANSWERS.get(operation_id, 200))]:
            try:
                status, answer = call(description, given.target, key, operation_id, ids)
                if status != expected:
                    raise Mismatch(f"{status}, not {expected}: {answer}")
                if status == 200:
                    learn(operation_id, answer, ids)
                print(f"ok      {operation_id} answers {status} as described", flush=True)
            except Mismatch as mismatch:
                failures += 1
                print(f"FAILED  {operation_id}\n        {mismatch}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
