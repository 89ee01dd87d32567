"""In what Envoy and leash differ, and why.

Every other difference is a fault, and so is an entry, or a part of one, that nothing needs.
"""

import re
from typing import NamedTuple


class Known(NamedTuple):
    """A kind of difference: patterns of the requests, of what differs, and of the two answers.

    In a pattern `*` stands for anything.
    """

    reason: str
    requests: tuple
    what: str
    envoy: str
    leash: str

    def explaining(self, request, difference):
        """Those of its patterns of requests by which it explains the difference."""
        if not all(map(matches, self[2:], difference)):
            return []
        return [pattern for pattern in self.requests if matches(pattern, request.name)]


def matches(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)


def status(reason, envoy, leash, *requests):
    return Known(reason, requests, "status", envoy, leash)


def anyhow(reason, *requests):
    """The two understand the request differently, and what they answer depends on that."""
    return Known(reason, requests, "*", "*", "*")


# What a method answers that is called.
ANY = "*"

KNOWN = [
    # How refusals are told.
    Known(
        "Envoy's own refusals are plain words; leash's have a code, a message and details",
        ("*",),
        "form",
        "4* text",
        "4* code *",
    ),
    Known(
        "RFC 9110 wants a challenge in every 401; Envoy adds none to an error of gRPC",
        ("*",),
        "header www-authenticate",
        "None",
        "Bearer *",
    ),
    status(
        "RFC 9110 has 405 for a path that takes other verbs; Envoy does not look at others",
        "404 text",
        "405 code 12",
        "*: another verb",
        "*: a segment too many",
        "path: *",
    ),
    status(
        "RFC 9110 has 405 for unknown verbs, too; Envoy takes no request with one",
        "400 text",
        "405 code 12",
        "path: a verb nobody knows",
        "path: a verb in small letters",
    ),
    status(
        "RFC 9110 has HEAD wherever there is GET; to Envoy it is one more verb without a rule",
        "404 text",
        "200 text",
        "path: HEAD of a lead",
    ),
    status(
        "RFC 9110 has OPTIONS for every path; to Envoy it is one more verb without a rule",
        "404 text",
        "204 text",
        "path: OPTIONS of a lead",
    ),
    status(
        "A body beyond the limit is refused with 413; Envoy tells gRPC's refusal, as 429",
        "429 code 8",
        "413 code 8",
        "text: a body of 5 MB",
    ),
    status(
        "The limit is of the body; Envoy's message has no blanks and stays below",
        "200",
        "413 code 8",
        "text: a body of 5 MB of blanks",
    ),
    # Paths and queries.
    status(
        "An id is never empty, and leash says so; to Envoy some of these paths are unknown",
        "404 text",
        "400 code 3",
        "*: an empty id",
        "path: leads and an empty id",
    ),
    status(
        "An id is never empty, and leash says so; Envoy calls the method without one",
        "501 code 12",
        "400 code 3",
        "*: an empty id",
    ),
    status(
        "A slash at the end makes another path; Envoy overlooks it",
        ANY,
        "40* code *",
        "*: a slash at the end",
    ),
    status(
        "All of a path may be percent-encoded, as in grpc-gateway; in Envoy ids only",
        "404 text",
        ANY,
        "path: the verb's colon encoded",
        "path: an encoded segment",
    ),
    status(
        "A path must be percent-encoded UTF-8; Envoy takes what is not as it stands",
        "404 code 5",
        "400 code 3",
        "path: an encoding that is none",
        "path: an encoding that is cut off",
    ),
    anyhow(
        "A path must be percent-encoded UTF-8; Envoy hands on the bytes, which are no id",
        "path: an encoding that is not UTF-8",
    ),
    status(
        "A fragment is no part of what is asked for, and overlooked; Envoy refuses it",
        "400 text",
        "200",
        "path: a fragment",
    ),
    anyhow(
        "The id in the path wins, as in grpc-gateway; in Envoy the one in the body or query does",
        "*: other ids in the body",
        "id in path and body: empty",
        "id in path and body: another, and last",
        "query: the id again",
    ),
    anyhow(
        "The body of a GET says nothing (RFC 9110); Envoy reads it as the request",
        "CustomerService.GetCustomer: with a body",
        "LeadService.GetLead: with a body",
    ),
    anyhow(
        "Where the body is the whole request the query says nothing; Envoy adds it, and it may win",
        "query beside a body: *",
    ),
    # Headers.
    status(
        "Headers with this prefix become metadata, as in grpc-gateway; Envoy has no such rule",
        ANY,
        ANY,
        "key: metadata as grpc-gateway names it",
        "header*: an actor as metadata",
    ),
    status(
        "A timeout that cannot be read is refused, as in grpc-gateway; gRPC servers overlook it",
        ANY,
        "400 code 3",
        "header*: a timeout without a unit",
        "header*: a timeout that is none",
        "header*: a timeout of nine digits",
    ),
    status(
        "leash follows `Prefer: handling=strict` (RFC 7240); Envoy does not know it",
        "200",
        "400 code 3",
        "strict: an unknown key",
    ),
    status(
        "leash unpacks gzip; Envoy reads the bytes as JSON",
        "400 text",
        "200",
        "gzip: a good body",
    ),
    status(
        "leash unpacks gzip; Envoy does not look at the encoding",
        "200",
        "400 code 3",
        "gzip: a body that is not",
    ),
    # JSON texts.
    status(
        "A body of blanks is as good as none; Envoy misses a value in it",
        "400 text",
        ANY,
        "*: the body is blanks only",
    ),
    status(
        "This is no JSON (RFC 8259); Envoy's parser is lenient",
        "200",
        "400 code 3",
        "text: a comma too many",
        "text: a line feed in a string",
        "text: a number that ends in a point",
        "text: an escape that is none",
        "text: keys without quotes",
        "text: single quotes",
    ),
    anyhow(
        "This is no JSON (RFC 8259), either; Envoy lets the NUL pass, and the method refuses it",
        "text: a NUL as it is",
    ),
    status(
        "A field given twice is refused, as by protojson; Envoy takes the last or merges the two",
        "200",
        "400 code 3",
        "text: a key twice",
        "text: a key in both spellings",
        "text: a message twice",
        "text: a list twice",
    ),
    status(
        "What an unknown key holds is passed over, whatever it is; Envoy reads it and finds fault",
        "400 text",
        "200",
        "text: a number without an end",
        "text: an empty key",
        "text: bytes that are not UTF-8 behind an unknown key",
        "text: nested 200 deep",
        "text: nested 20,000 deep",
    ),
    # Values, by the rules of proto3 JSON.
    status(
        "A boolean is true or false; Envoy reads strings, too",
        "200",
        "400 code 3",
        'a boolean: "*"',
    ),
    status(
        "A whole number in a string may have a point or an exponent; Envoy wants digits",
        "400 text",
        "200",
        '*int*: "2.0"',
        '*int*: "2e0"',
        'an int64: "1e3"',
    ),
    status(
        "An enum is a name or a number; Envoy reads a number in a string, too",
        "200",
        "400 code 3",
        'an enum: "3"',
        'an enum in a list: "2"',
    ),
    status(
        "A list has no null; Envoy leaves it out",
        "200",
        "400 code 3",
        "an enum in a list: null",
        "a list: [null]",
        "a list of strings: [null]",
    ),
    status(
        "A list of lists is no list of values; Envoy takes the inner ones for part of the outer",
        "200",
        "400 code 3",
        "an enum in a list: []",
        "a list: [[]]",
        "a list of strings: [[]]",
    ),
    anyhow(
        "A value alone is no list; Envoy takes it for a list of one",
        'a list of strings: "Training"',
        "a list: {}",
    ),
    status(
        "A map has no null; Envoy takes it for an empty message",
        "200",
        "400 code 3",
        "a oneof: null",
    ),
    status(
        "A timestamp is a string of RFC 3339; Envoy also takes an object, and no digits at a point",
        "200",
        "400 code 3",
        'a timestamp: {"seconds": 1707991200}',
        'a timestamp: "2024-02-15T10:00:00.Z"',
    ),
    status(
        "A fraction of a second is cut off after nanoseconds; Envoy refuses a longer one",
        "400 text",
        "200",
        'a timestamp: "2024-02-15T10:00:00.1234567891Z"',
    ),
    anyhow(
        "A leap second is the end of its minute; to Envoy it is the start of the next one",
        'a timestamp: "2016-12-31T23:59:60Z"',
    ),
    status(
        "A mask is a string; Envoy also takes an object",
        "200",
        "400 code 3",
        'a mask: {"paths": ["last_name"]}',
    ),
    status(
        "Blanks beside a path of a mask are overlooked; Envoy takes them for a part of it",
        "400 code 3",
        "200",
        'a mask: "lastName, firstName"',
    ),
]
