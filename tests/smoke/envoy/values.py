"""Values of every kind, good and bad, each in a place where a field of its kind is."""

from request import CUSTOMER, FIELDS, LEAD, LEADS, LIST_LEADS, Request

# Values for a field of each kind, as they stand in the JSON text.
STRINGS = ['"Ada"', '""', "5", "1.5", "true", "null", "{}", "[]", '["Ada"]']
BOOLEANS = ["true", "false", '"true"', '"yes"', "1", "0", "null", "[]", '""']
WHOLE_NUMBERS = [
    "2",
    '"2"',
    "2.0",
    '"2.0"',
    "2e0",
    '"2e0"',
    "2.5",
    "-1",
    "0",
    '" 2"',
    '"0x2"',
    '""',
    "true",
    "null",
]
INT32 = [*WHOLE_NUMBERS, "2147483647", "2147483648", "1e10", "[2]"]
UINT32 = [*WHOLE_NUMBERS, "4294967295", "4294967296", '"-1"']
INT64 = [
    *WHOLE_NUMBERS,
    "9007199254740993",
    '"9223372036854775807"',
    "9223372036854775807",
    '"9223372036854775808"',
    "9223372036854775808",
    '"-9223372036854775808"',
    "1e3",
    '"1e3"',
    "1e19",
    "{}",
]
DOUBLES = [
    "40.5",
    '"40.5"',
    "40",
    "1e1",
    '"1e1"',
    "-0.0",
    "1e-400",
    "1e400",
    '"1e400"',
    '"NaN"',
    '"Infinity"',
    '"-Infinity"',
    "NaN",
    "Infinity",
    '"nan"',
    '""',
    '" 1"',
    "true",
    "null",
    "[1]",
]
ENUMS = [
    '"CAT"',
    "3",
    '"3"',
    "3.0",
    '"cat"',
    '"DRAGON"',
    "99",
    "-1",
    "0",
    "1.5",
    "true",
    "null",
    '""',
    "{}",
    "2147483648",
]
TIMESTAMPS = [
    '"2024-02-15T10:00:00Z"',
    '"2024-02-15T10:00:00.5Z"',
    '"2024-02-15T10:00:00.123456Z"',
    '"2024-02-15T10:00:00.123456789Z"',
    '"2024-02-15T10:00:00.1234567891Z"',
    '"2024-02-15T11:30:00+01:30"',
    '"2024-02-15T10:00:00-00:00"',
    '"2024-02-15T10:00:00"',
    '"2024-02-15 10:00:00Z"',
    '"2024-02-15t10:00:00z"',
    '"2024-02-15"',
    '"2024-02-30T10:00:00Z"',
    '"2024-02-15T24:00:00Z"',
    '"2016-12-31T23:59:60Z"',
    '"0001-01-01T00:00:00Z"',
    '"0000-12-31T00:00:00Z"',
    '"9999-12-31T23:59:59.999999999Z"',
    '"10000-01-01T00:00:00Z"',
    '"2024-02-15T10:00:00.Z"',
    '"yesterday"',
    '""',
    "1707991200",
    '{"seconds": 1707991200}',
    "null",
]
MASKS = [
    '"lastName"',
    '"lastName,firstName"',
    '"last_name"',
    '"lead.lastName"',
    '"lastName, firstName"',
    '"lastName,"',
    '"address.city"',
    '"nothing"',
    '"id"',
    '"*"',
    '""',
    '{"paths": ["last_name"]}',
    '["lastName"]',
    "5",
    "null",
]
LISTS = ["[]", "null", "{}", '"x"', "[null]", "[[]]", "[{}]", "[5]"]
MESSAGES = ["{}", "null", "[]", '"x"', "5", "true", "[{}]"]

# Where a value of each kind goes: verb, path, the body around it, and the values.
PLACES = {
    "a string": ("POST", LEADS, '{"lead": {"firstName": %s, "phone": "+12125550100"}}', STRINGS),
    "an optional string": (
        "PUT",
        CUSTOMER,
        '{"companyId": "cmp_001", "email": %s}',
        [*STRINGS, '"ada@example.com"'],
    ),
    "an optional address": (
        "PUT",
        CUSTOMER,
        '{"companyId": "cmp_001", "address": %s}',
        [*MESSAGES, '{"city": "London"}', '{"city": null}'],
    ),
    "a boolean": ("PUT", LEAD, '{"lead": {}, "complianceConfig": {"isConsented": %s}}', BOOLEANS),
    "an int32": (
        "POST",
        LIST_LEADS,
        '{"companyId": "cmp_001", "pagination": {"pageSize": %s}}',
        INT32,
    ),
    "a uint32": (
        "PUT",
        LEAD,
        '{"lead": {"pets": [{"id": "<pet>", "weight": {"unit": "POUND", "value": %s}}]}}',
        UINT32,
    ),
    "an int64": (
        "PUT",
        LEAD,
        (
            '{"lead": {"customFields": {"field_estimated_budget": '
            '{"money": {"currencyCode": "USD", "units": %s}}}}}'
        ),
        INT64,
    ),
    "a double": (
        "PUT",
        LEAD,
        '{"lead": {"address": {"coordinate": {"latitude": %s, "longitude": -74}}}}',
        DOUBLES,
    ),
    "an enum": ("PUT", LEAD, '{"lead": {"pets": [{"id": "<pet>", "type": %s}]}}', ENUMS),
    "an enum in a list": (
        "POST",
        FIELDS,
        '{"filter": {"associationTypes": [%s]}}',
        ['"LEAD"', "2", '"2"', '"lead"', '"DRAGON"', "9", "null", "[]"],
    ),
    "a timestamp": (
        "PUT",
        LEAD,
        '{"lead": {"customFields": {"field_follow_up_date": {"timestampTime": %s}}}}',
        TIMESTAMPS,
    ),
    "a timestamp in a filter": (
        "POST",
        LIST_LEADS,
        (
            '{"companyId": "cmp_001", "pagination": {"pageSize": 2}, '
            '"filter": {"lastUpdatedTime": {"endTime": %s}}}'
        ),
        ['"2024-02-15T10:00:00Z"', '"2024-02-15T10:00:00+02:00"', '"2024-02-15"', "0", "null"],
    ),
    "a mask": (
        "PUT",
        LEAD,
        '{"lead": {"firstName": "Ada", "address": {"city": "London"}}, "updateMask": %s}',
        MASKS,
    ),
    "a list": ("PUT", LEAD, '{"lead": {"pets": %s}}', LISTS),
    "a list of strings": (
        "PUT",
        LEAD,
        '{"lead": {"customFields": {"field_interested_services": {"stringList": {"values": %s}}}}}',
        ['["Training"]', '"Training"', "[null]", "[5]", "[[]]", "null", "{}"],
    ),
    "a message": ("POST", LEADS, '{"lead": %s}', MESSAGES),
    "an optional message": (
        "PUT",
        LEAD,
        '{"lead": {}, "complianceConfig": {"serviceRelatedChannels": %s}}',
        [*MESSAGES, '{"channels": null}', '{"channels": [3, "COMPLIANCE_CHANNEL_SMS"]}'],
    ),
    "a map": (
        "PUT",
        LEAD,
        '{"lead": {"customFields": %s}}',
        [*MESSAGES, '{"field_x": 5}', '{"": {}}'],
    ),
    "a oneof": (
        "PUT",
        LEAD,
        '{"lead": {"customFields": {"field_lead_source_detail": %s}}}',
        [
            '{"string": "Radio"}',
            '{"string": null}',
            '{"string": ""}',
            "{}",
            "null",
            '{"string": "Radio", "bool": true}',
            '{"string": "Radio", "bool": null}',
            '{"string": "Radio", "string": "Tele"}',
            '{"bool": true}',
            '{"int64": "5"}',
            '{"doubleValue": 5.5}',
            '{"relation": {"entity": "LEAD", "id": "7"}}',
            '{"timeOfDay": {"hours": 5}}',
            '{"nothing": 5}',
        ],
    ),
    "a date": (
        "PUT",
        LEAD,
        '{"lead": {"pets": [{"id": "<pet>", "birthday": %s}]}}',
        [
            '{"year": 2020, "month": 2, "day": 29}',
            '{"year": 2020}',
            '{"month": 2, "day": 30}',
            '"2020-02-29"',
            '{"year": "2020"}',
            "{}",
        ],
    ),
}


def requests():
    for kind, (verb, path, around, kind_values) in PLACES.items():
        for value in kind_values:
            yield Request(f"{kind}: {value}", verb, path, (around % value).encode())
