"""Paths and queries; and an id that is in the path as well as in the body."""

from request import LEAD, LEADS, LIST_LEADS, Request, encoded

PATHS = {
    "the root": ("GET", "/"),
    "nothing known": ("GET", "/v1/dogs"),
    "nothing known, with a body": ("POST", "/v1/dogs"),
    "the version alone": ("GET", "/v1"),
    "a method's name": ("POST", "/moego.business.customer.v1.LeadService/NoSuchMethod"),
    "leads without an id": ("GET", "/v1/leads"),
    "leads and an empty id": ("GET", "/v1/leads/"),
    "leads and a verb nobody has": ("POST", "/v1/leads:count"),
    "leads and an empty verb": ("POST", "/v1/leads:"),
    "the verb in capitals": ("POST", "/v1/leads:LIST"),
    "the verb's colon encoded": ("POST", "/v1/leads%3Alist"),
    "the verb as a segment": ("POST", "/v1/leads/list"),
    "the verb after an id": ("POST", "/v1/leads/lcus_001:promote"),
    "the verb on GET": ("GET", "/v1/leads:list"),
    "another list's verb": ("POST", "/v1/customers:promote"),
    "an encoded segment": ("GET", "/v1/le%61ds/lcus_001"),
    "an encoded id": ("GET", "/v1/leads/%6Ccus%5F001"),
    "an encoded id in small letters": ("GET", "/v1/leads/lcus%5f001"),
    "an id encoded twice": ("GET", "/v1/leads/lcus%255F001"),
    "an encoding that is none": ("GET", "/v1/leads/lcus%ZZ001"),
    "an encoding that is cut off": ("GET", "/v1/leads/lcus%5"),
    "an encoding that is not UTF-8": ("GET", "/v1/leads/lcus%FF001"),
    "an encoded NUL": ("GET", "/v1/leads/lcus%00001"),
    "an encoded question mark": ("GET", "/v1/leads/lcus%3F001"),
    "a plus": ("GET", "/v1/leads/lcus+001"),
    "a dot": ("GET", "/v1/leads/./lcus_001"),
    "two dots": ("GET", "/v1/customers/../leads/lcus_001"),
    "two dots, encoded": ("GET", "/v1/customers/%2E%2E/leads/lcus_001"),
    "other signs in an id": ("GET", "/v1/leads/a!$&'()*+,;=@~-._b"),
    "a semicolon": ("GET", "/v1/leads/lcus_001;v=1"),
    "a fragment": ("GET", "/v1/leads/lcus_001#top"),
    "an id of 10,000 letters": ("GET", f"/v1/leads/{'x' * 10_000}"),
    "an id of another kind": ("GET", "/v1/leads/cus_001"),
    "GET of a lead by POST": ("POST", "/v1/leads/lcus_001"),
    "DELETE of a lead": ("DELETE", "/v1/leads/lcus_001"),
    "HEAD of a lead": ("HEAD", "/v1/leads/lcus_001"),
    "OPTIONS of a lead": ("OPTIONS", "/v1/leads/lcus_001"),
    "HEAD of nothing": ("HEAD", "/v1/dogs"),
    "OPTIONS of nothing": ("OPTIONS", "/v1/dogs"),
    "TRACE": ("TRACE", "/v1/leads/lcus_001"),
    "a verb nobody knows": ("BREW", "/v1/leads/lcus_001"),
    "a verb in small letters": ("get", "/v1/leads/lcus_001"),
}

QUERIES = {
    "the id again": "id=lcus_002",
    "an unknown name": "x=1",
    "an unknown name without a value": "x",
    "an unknown path": "a.b.c=1",
    "nothing": "",
    "ampersands only": "&&",
    "an encoding that is none": "x=%ZZ",
    "an alt parameter": "alt=json",
    "pretty printing": "pretty=true",
    "5,000 letters": f"x={'y' * 5000}",
}

# Parameters of methods whose whole request is the body.
BODY_QUERIES = {
    "the company": (LIST_LEADS, "companyId=cmp_001", {"pagination": {"pageSize": 2}}),
    "another company": (
        LIST_LEADS,
        "companyId=cmp_002",
        {"companyId": "cmp_001", "pagination": {"pageSize": 2}},
    ),
    "a part of a message": (LIST_LEADS, "pagination.pageSize=2", {"companyId": "cmp_001"}),
    "a number that is none": (
        LIST_LEADS,
        "pagination.pageSize=two",
        {"companyId": "cmp_001", "pagination": {"pageSize": 2}},
    ),
    "a message as a value": (
        LEADS,
        "lead=ada",
        {"lead": {"firstName": "Ada", "phone": "+12125550100"}},
    ),
    "a part of a map": (
        LEADS,
        "lead.customFields.a=b",
        {"lead": {"firstName": "Ada", "phone": "+12125550100"}},
    ),
}


def requests():
    yield from paths()
    yield from queries()
    yield from ids()


def paths():
    for name, (verb, path) in PATHS.items():
        body = b"{}" if verb == "POST" else None
        yield Request(f"path: {name}", verb, path, body)


def queries():
    for name, query in QUERIES.items():
        yield Request(f"query: {name}", "GET", f"/v1/leads/lcus_001?{query}")
    for name, (path, query, body) in BODY_QUERIES.items():
        yield Request(f"query beside a body: {name}", "POST", f"{path}?{query}", encoded(body))


def ids():
    """The id in the path and the one in the body."""
    for name, text in {
        "the same": '{"id": "<lead>"}',
        "another": '{"id": "lcus_002"}',
        "null": '{"id": null}',
        "empty": '{"id": ""}',
        "a number": '{"id": 5}',
        "another, and last": '{"lead": {"lastName": "Byron"}, "id": "lcus_002"}',
        "another in the lead": '{"lead": {"id": "lcus_002", "lastName": "Byron"}}',
        "the same in the lead": '{"lead": {"id": "<lead>", "lastName": "Byron"}}',
    }.items():
        yield Request(f"id in path and body: {name}", "PUT", LEAD, text.encode())
