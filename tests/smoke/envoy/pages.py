"""Lists: their pages and their filters."""

from request import LIST_CUSTOMERS, LIST_LEADS, Request, encoded


def requests():
    first = {"companyId": "cmp_001", "pagination": {"pageSize": 2}}
    for name, path, more in [
        ("first", LIST_LEADS, {}),
        ("token 1", LIST_LEADS, {"pageToken": "1"}),
        ("next", LIST_LEADS, {"pageToken": "<token>"}),
        ("a token that is none", LIST_LEADS, {"pageToken": "2"}),
        ("a token of another list", LIST_CUSTOMERS, {"pageToken": "<token>"}),
        ("all leads", LIST_LEADS, {"pageSize": 500}),
        ("all customers", LIST_CUSTOMERS, {"pageSize": 500}),
        ("none", LIST_LEADS, {"pageSize": 0}),
        ("too large", LIST_LEADS, {"pageSize": 501}),
    ]:
        body = {**first, "pagination": {**first["pagination"], **more}}
        yield Request(f"page: {name}", "POST", path, encoded(body))
    for company in ["", "cmp_002", "nobody", " "]:
        body = {**first, "companyId": company}
        yield Request(f"page: company {company!r}", "POST", LIST_LEADS, encoded(body))
    for name, wanted in {
        "phone": {"mainPhoneNumber": "(212) 555-1234"},
        "phone that is none": {"mainPhoneNumber": "x"},
        "email": {"email": "JOHN.DOE@example.com"},
        "life cycle": {"lifeCycleId": "lc_003"},
        "all": {"lifeCycleId": "lc_001", "actionStatusId": "as_001", "referralSourceId": "ref_002"},
        "nothing": {},
        "unknown keys": {"businessIds": ["b1"], "lifeCycleId": "lc_001"},
        "null": None,
    }.items():
        yield Request(f"filter: {name}", "POST", LIST_LEADS, encoded({**first, "filter": wanted}))
