"""Requests for every method that has an HTTP rule: the good one, and what may be wrong with any."""

import re

from request import Request, encoded

COMPANY = "cmp_001"

PAGE = {"pageSize": 3}

# A good body for each method. A rule without one is an error, so that no new method is left out.
BODIES = {
    "CustomerService.CreateCustomer": {
        "companyId": COMPANY,
        "preferredBusinessId": "biz_001",
        "firstName": "Ada",
        "lastName": "Byron",
        "phone": "+12125550199",
        "email": "ada@example.com",
        "address": {"address1": "1 Main St", "city": "New York", "postalCode": "10001"},
        "preference": {"receiveAutoMessage": True},
        "tags": [{"id": "tag_001"}],
        "notes": [{"note": "prefers mornings"}],
        "complianceConfig": {"serviceRelatedChannels": {"channels": ["COMPLIANCE_CHANNEL_SMS"]}},
    },
    "CustomerService.UpdateCustomer": {
        "companyId": COMPANY,
        "firstName": "Grace",
        "email": "",
        "tags": [{"id": "tag_002"}],
        "notes": [{"note": "likes treats"}],
    },
    "CustomerService.ListCustomers": {
        "companyId": COMPANY,
        "pagination": PAGE,
        "filter": {"lastUpdatedTime": {"startTime": "2020-01-01T00:00:00Z"}},
    },
    "CustomerService.AppendCustomerNotes": {"notes": [{"note": "barks"}, {"note": "at cats"}]},
    "CustomerService.ListCustomerNotes": {"pagination": PAGE},
    "CustomerService.UpdateCustomerNote": {"note": "barks no more"},
    "CustomerService.AppendCustomerTags": {"tags": [{"id": "tag_001"}]},
    "CustomerService.ListCustomerTags": {},
    "LeadService.CreateLead": "create_lead.request",
    "LeadService.UpdateLead": {
        "lead": {"lastName": "Lovelace", "pets": [{"id": "<pet>", "name": "Rex"}]},
        "complianceConfig": {"marketingCampaignsChannels": {"channels": []}},
    },
    "LeadService.ListLeads": "list_leads.request",
    "LeadService.PromoteLead": {"id": "<lead>"},
    "SettingService.ListCustomerTags": "list_customer_tags.request",
    "SettingService.ListCustomerReferralSources": "list_customer_referral_sources.request",
    "SettingService.ListLeadsLifeCycles": {},
    "SettingService.ListLeadsActionStatus": {},
    "SettingService.ListCustomFields": {"filter": {"associationTypes": ["LEAD"]}},
}

# Bodies that are wrong for every method, or good for every one.
ODD_BODIES = {
    "no body": None,
    "an empty body": b"",
    "blanks only": b" \r\n\t",
    "an empty object": b"{}",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"lead"',
    "a number": b"7",
    "no JSON": b"firstName=Ada",
    "an unknown key": b'{"businessIds": ["b1", {"deep": [null]}], "x": null}',
}


def requests(rules, example):
    for rule in rules:
        yield from of_rule(rule, example)


def of_rule(rule, example):
    path = good_path(rule)
    body = good_body(rule, example)
    text = encoded(body)

    def request(name, verb=rule.verb, path=path, body=text, **more):
        return Request(f"{rule.method}: {name}", verb, path, encoded(body), **more)

    yield request("good")
    yield request("without a key", headers={"authorization": None})
    yield request("with a key nobody has", headers={"authorization": "Bearer leash_nobody"})
    yield request("a slash at the end", path=f"{path}/")
    yield request("a segment too many", path=f"{path}/more")
    yield request("two slashes", path=path.replace("/v1/", "/v1//"))
    yield request("in capitals", path=path.replace("/v1/", "/V1/"))
    yield request("another verb", verb="PATCH")
    yield request("an unknown query parameter", path=f"{path}?utm_source=mail&a.b=c&empty")
    if rule.has_body:
        yield request("names in snake_case", body=snake_case(body))
        yield request("cut off", body=text[: len(text) // 2])
        yield request("something after its end", body=text + b"}")
        for name, odd in ODD_BODIES.items():
            yield request(f"the body is {name}", body=odd)
    else:
        yield request("with a body", body={"id": "lcus_002"})
    if "{" in rule.path:
        yield from of_variables(rule, request)


def of_variables(rule, request):
    def with_id(value):
        return re.sub(r"\{\w+\}", value, rule.path)

    yield request("an empty id", path=with_id(""))
    yield request("an id nobody has", path=with_id("nobody"))
    yield request("an id with spaces", path=with_id("no%20body%20"))
    yield request("an id with a slash", path=with_id("no%2Fbody"))
    yield request("an id in UTF-8", path=with_id("n%C3%B6body"))
    yield request("an id with a colon", path=with_id("no:body"))
    yield request("an id too long", path=with_id("x" * 65))
    if rule.has_body:
        names = re.findall(r"\{(\w+)\}", rule.path)
        yield request("other ids in the body", body=dict.fromkeys(names, "another"))


def good_path(rule):
    kind = "<lead>" if rule.method.startswith("LeadService.") else "<customer>"
    values = {"id": kind, "customer_id": "<customer>", "note_id": "<note>", "company_id": COMPANY}
    return re.sub(r"\{(\w+)\}", lambda name: values[name[1]], rule.path)


def good_body(rule, example):
    if not rule.has_body:
        return None
    body = BODIES[rule.method]
    return example(body) if isinstance(body, str) else body


def snake_case(value):
    if isinstance(value, list):
        return [snake_case(entry) for entry in value]
    if isinstance(value, dict):
        return {snake_case_name(name): snake_case(entry) for name, entry in value.items()}
    return value


def snake_case_name(name):
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)
