"""What two answers to one request do not have in common."""

import re
from datetime import datetime, timezone

# Headers that are part of an answer; all others are the transport's.
HEADERS = ["content-type", "x-request-id", "www-authenticate", "allow"]

# How Envoy begins when a field does not fit.
NAMED_FIELD = re.compile(r"([a-z_]+(?:\.[a-z_]+|\[\d+\])*): ")

# Made anew by each call.
MADE_ID = re.compile(r"\b(lcus|cus|pet|addr|note)_[0-9a-hjkmnp-tv-z]{26}\b")
MADE_REQUEST_ID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}){1,3})?Z")


def differences(envoy, leash, envoy_body, neutral):
    """(what, Envoy's, leash's) of everything in which the two differ."""
    if str(envoy) != str(leash) and (envoy.status != leash.status or envoy.body is not None):
        yield "status", str(envoy), str(leash)
        return
    if envoy.body is None and leash.body is None:
        if envoy.text != leash.text:
            yield "text", repr(envoy.text), repr(leash.text)
        return
    if envoy.body is None:
        yield "form", str(envoy), str(leash)
        named = NAMED_FIELD.match(envoy.text.decode(errors="replace"))
        fields = list(violated(leash.body))
        if named and not any(is_within(field, named[1]) for field in fields):
            yield "field", named[1], ", ".join(fields)
        return
    for name in HEADERS:
        theirs, ours = envoy.headers.get(name), leash.headers.get(name)
        if neutral.of(theirs) != neutral.of(ours):
            yield f"header {name}", str(theirs), str(ours)
    yield from unequal("body", neutral.of(envoy_body), neutral.of(leash.body))


def violated(error):
    """The fields that an error complains of, with the entries of maps as Envoy names them."""
    details = error.get("details", []) if isinstance(error, dict) else []
    for detail in details:
        for violation in detail.get("fieldViolations", []):
            # No request has an unfit value in any but the first entry.
            yield re.sub(r'\["\w*"\]', "[0].value", violation["field"])


def is_within(field, named):
    """Whether it is what Envoy names, which may be the message around it."""
    return field == named or field.startswith((f"{named}.", f"{named}["))


def unequal(path, theirs, ours):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted({*theirs, *ours}):
            there, here = theirs.get(name, "(absent)"), ours.get(name, "(absent)")
            yield from unequal(f"{path}.{name}", there, here)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (there, here) in enumerate(zip(theirs, ours, strict=True)):
            yield from unequal(f"{path}.{index}", there, here)
    # In Python 1 == True, in JSON only 1 == 1.0.
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        yield path, repr(theirs), repr(ours)


class Neutral:
    """Takes out of an answer what each call makes anew.

    Ids become their place in the order of appearance, times since `since` become one and the same.
    """

    def __init__(self, since):
        self.since = since

    def of(self, value):
        return self._value(value, {})

    def _value(self, value, places):
        if isinstance(value, dict):
            return {name: self._value(value[name], places) for name in sorted(value)}
        if isinstance(value, list):
            return [self._value(entry, places) for entry in value]
        return self._text(value, places) if isinstance(value, str) else value

    def _text(self, text, places):
        if TIME.fullmatch(text) and time_of(text) >= self.since:
            return "<now>"

        def place(made):
            return places.setdefault(made[0], f"<{made[1]} {len(places)}>")

        return MADE_REQUEST_ID.sub("<request id>", MADE_ID.sub(place, text))


def time_of(text):
    """The time of a text that `TIME` matches, in whole seconds."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
