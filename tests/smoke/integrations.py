"""What public integrations of the API send, sent to a fresh `leash demo` with `requests`.

Prints a line for each step; the first answer that is not as documented ends it with exit code 1.
"""

import argparse
import json
import sys
from base64 import b64encode
from pathlib import Path

import requests

SECONDS = 20


class Mismatch(Exception):
    """An answer that is not as documented."""


def expect(actual, expected, what):
    if actual != expected:
        raise Mismatch(f"{what}: expected {expected!r}, not {actual!r}")


def encoded(text):
    return b64encode(text.encode()).decode()


class Client:
    """Sends JSON over connections that are kept."""

    def __init__(self, target, key):
        self.base = f"http://{target}"
        self.key = key
        self.session = requests.Session()

    def send(self, method, path, body=None, *, authorization=None, **options):
        headers = {"Authorization": authorization or f"Basic {self.key}", **options.pop("headers", {})}
        return self.session.request(
            method, self.base + path, json=body, headers=headers, timeout=SECONDS, **options
        )

    def answer(self, method, path, body=None, **options):
        """The JSON of an answer that must be 200."""
        response = self.send(method, path, body, **options)
        if response.status_code != 200:
            raise Mismatch(f"{method} {path} answered {response.status_code}: {response.text}")
        expect(response.headers["Content-Type"], "application/json", "the content type")
        return response.json()


def page(**more):
    return {"companyId": "cmp_001", "pagination": {"pageSize": 20, "pageToken": "1"}, **more}


def ids(items):
    return {item["id"] for item in items}


def a_key_is_taken_in_each_form_that_clients_send(client, _examples):
    key = client.key
    forms = [
        f"Basic {key}",
        f"Basic {encoded(key)}",
        f"Basic {encoded(key + ':')}",
        key,
        encoded(key),
        f"Bearer {key}",
    ]
    for form in forms:
        lead = client.answer("GET", "/v1/leads/lcus_001", authorization=form)
        expect(lead["firstName"], "John", f"the lead under {form}")
    # What requests makes of a user without a password.
    response = requests.get(client.base + "/v1/leads/lcus_001", auth=(key, ""), timeout=SECONDS)
    expect(response.status_code, 200, "the status with `auth`")


def json_is_read_under_any_content_type(client, _examples):
    for content_type in ["application/json", "text/plain", None]:
        response = client.send(
            "POST", "/v1/leads:list", data=json.dumps(page()), headers={"Content-Type": content_type}
        )
        expect(response.status_code, 200, f"the status under {content_type}")
        expect(len(response.json()["leads"]), 20, f"the leads of a page under {content_type}")


def pages_go_on_from_the_token_1_until_there_is_none(client, _examples):
    everything = client.answer("POST", "/v1/leads:list", page(pagination={"pageSize": 500}))
    for pagination in [{"pageSize": 2, "pageToken": "1"}, {"pageSize": 2}]:
        seen = []
        while pagination:
            answer = client.answer("POST", "/v1/leads:list", page(pagination=pagination))
            seen += [lead["id"] for lead in answer["leads"]]
            token = answer.get("nextPageToken")
            pagination = {"pageSize": 2, "pageToken": token} if token else None
        expect(sorted(seen), sorted(ids(everything["leads"])), "the leads of all pages")


def keys_that_the_method_does_not_have_are_ignored(client, _examples):
    body = page(businessIds=["b1"], filter={"businessIds": ["b1"], "lifeCycleId": "lc_001"})
    answer = client.answer("POST", "/v1/leads:list", body)
    expect("lcus_001" in ids(answer["leads"]), True, "lcus_001 in the list")


def the_time_of_the_last_change_is_a_filter_of_leads_and_customers(client, _examples):
    def between(start, end):
        return page(filter={"lastUpdatedTime": {"startTime": start, "endTime": end}})

    within = between("2024-01-20T00:00:00Z", "2024-01-21T00:00:00Z")
    answer = client.answer("POST", "/v1/leads:list", within)
    expect("lcus_001" in ids(answer["leads"]), True, "lcus_001 within the time")
    never = between("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
    expect(client.answer("POST", "/v1/leads:list", never)["leads"], [], "leads of another time")
    customers = client.answer("POST", "/v1/customers:list", never)["customers"]
    expect(customers, [], "customers of another time")


def the_documented_lead_is_created_read_updated_and_promoted(client, examples):
    created = client.answer("POST", "/v1/leads", examples("create_lead.request.json"))
    expect(created["phone"], "+12125551234", "the phone")
    units = created["customFields"]["field_estimated_budget"]["money"]["units"]
    expect(units, "500", "an int64")
    path = f"/v1/leads/{created['id']}"
    expect(client.answer("GET", path), created, "the lead that is read")
    update = examples("update_lead.request.json")
    del update["id"]
    updated = client.answer("PUT", path, update)
    expect(updated["actionStatus"]["name"], "Contacted", "the action status")
    customer = client.answer("POST", "/v1/leads:promote", {"id": created["id"]})["customer"]
    read_back = client.answer("GET", f"/v1/customers/{customer['id']}")
    expect(read_back["id"], customer["id"], "the customer")


def a_refusal_says_what_to_do_about_it(client, _examples):
    response = client.send("POST", "/v1/leads", {"lead": {"phone": "12"}})
    error = response.json()
    expect((response.status_code, error["code"]), (400, 3), "the status and the code")
    details = {detail["@type"].rsplit(".", 1)[1]: detail for detail in error["details"]}
    fields = [violation["field"] for violation in details["BadRequest"]["fieldViolations"]]
    expect(fields, ["lead.first_name", "lead.phone"], "the fields")
    request_id = details["RequestInfo"]["requestId"]
    expect(response.headers["x-request-id"], request_id, "the request id")
    response = requests.get(client.base + "/v1/leads/lcus_001", timeout=SECONDS)
    expect(response.status_code, 401, "the status without a key")
    expect("WWW-Authenticate" in response.headers, True, "the challenge")


STEPS = [
    a_key_is_taken_in_each_form_that_clients_send,
    json_is_read_under_any_content_type,
    pages_go_on_from_the_token_1_until_there_is_none,
    keys_that_the_method_does_not_have_are_ignored,
    the_time_of_the_last_change_is_a_filter_of_leads_and_customers,
    the_documented_lead_is_created_read_updated_and_promoted,
    a_refusal_says_what_to_do_about_it,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", required=True, help="HOST:PORT")
    parser.add_argument("--key", required=True)
    parser.add_argument("--examples", required=True, type=Path)
    options = parser.parse_args()
    client = Client(options.target, options.key)

    def examples(name):
        return json.loads((options.examples / name).read_text())

    for step in STEPS:
        name = step.__name__.replace("_", " ")
        try:
            step(client, examples)
        except (Mismatch, requests.RequestException) as error:
            print(f"FAILED  {name}\n{error}", file=sys.stderr)
            return 1
        print(f"ok      {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
