"""Bodies of CreateLead that are odd as JSON, or no JSON at all."""

from request import LEADS, Request, encoded, new_lead

DOG = '{"name": "Rex", "type": "DOG", "breed": "Pug"}'


def nested(depth):
    return new_lead('"Ada"', f', "nothing": {"[" * depth}{"]" * depth}')


TEXTS = {
    "letters beyond ASCII": new_lead('"Åsa 李 🐕"'),
    "escapes": new_lead(r'"\u00c5sa\t\"\\\/ \ud83d\udc15"'),
    "a key in escapes": r'{"lead": {"first\u004eame": "Ada", "phone": "+12125550100"}}',
    "half a surrogate pair": new_lead(r'"\ud83d"'),
    "a pair the wrong way round": new_lead(r'"\udc15\ud83d"'),
    "an escape that is none": new_lead(r'"\x41"'),
    "an escape that is cut off": new_lead(r'"\u00"'),
    "a NUL in an escape": new_lead(r'"A\u0000b"'),
    "a NUL as it is": new_lead('"A\0b"'),
    "a line feed in a string": new_lead('"A\nb"'),
    "bytes that are not UTF-8": new_lead('"A?b"').encode().replace(b"?", b"\xff"),
    "bytes that are not UTF-8 behind an unknown key": new_lead('"Ada"', ', "nothing": "?"')
    .encode()
    .replace(b"?", b"\xff"),
    "Latin-1": new_lead('"Åsa"').encode("latin-1"),
    "UTF-16": new_lead('"Ada"').encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + new_lead('"Ada"').encode(),
    "line ends and tabs": new_lead('"Ada"').replace(" ", "\r\n\t"),
    "other blanks": new_lead('"Ada"').replace(" ", "\u00a0"),
    "a key twice": new_lead('"Ada", "firstName": "Eve"'),
    "a key in both spellings": new_lead('"Ada", "first_name": "Eve"'),
    "a message twice": '{"lead": {"firstName": "Ada"}, "lead": {"phone": "+12125550100"}}',
    "a list twice": new_lead('"Ada"', f', "pets": [{DOG}], "pets": [{DOG}]'),
    "a key of a map twice": new_lead(
        '"Ada"', ', "customFields": {"field_a": {}, "field_a": {"string": "x"}}'
    ),
    "an unknown key twice": new_lead('"Ada"', ', "nothing": 1, "nothing": 2'),
    "keys in capitals": '{"lead": {"FirstName": "Ada", "PHONE": "+12125550100"}}',
    "keys of extensions": new_lead('"Ada"', ', "[com.example.x]": 5, "@type": "x"'),
    "an empty key": new_lead('"Ada"', ', "": 5'),
    "a comma too many": new_lead('"Ada"', ","),
    "a comma too many in a list": new_lead('"Ada"', ', "pets": [,]'),
    "a comment": new_lead('"Ada" /* Countess */'),
    "single quotes": "{'lead': {'firstName': 'Ada', 'phone': '+12125550100'}}",
    "keys without quotes": '{lead: {firstName: "Ada", phone: "+12125550100"}}',
    "no value": '{"lead": {"firstName": }}',
    "no comma": '{"lead": {"firstName": "Ada" "phone": "+12125550100"}}',
    "a zero before a number": new_lead('"Ada"', ', "nothing": 007'),
    "a plus before a number": new_lead('"Ada"', ', "nothing": +7'),
    "a number that ends in a point": new_lead('"Ada"', ', "nothing": 7.'),
    "a number that begins with a point": new_lead('"Ada"', ', "nothing": .7'),
    "a minus without a number": new_lead('"Ada"', ', "nothing": -'),
    "a number without an end": new_lead('"Ada"', f', "nothing": {"9" * 400}'),
    "True as Python writes it": new_lead('"Ada"', ', "nothing": True'),
    "two documents": " ".join([new_lead('"Ada"')] * 2),
    "two documents on lines": "\n".join([new_lead('"Ada"')] * 2),
    "a form": "lead.firstName=Ada&lead.phone=%2B12125550100",
    "XML": "<lead/>",
    "nested 30 deep": nested(30),
    "nested 60 deep": nested(60),
    "nested 200 deep": nested(200),
    "nested 20,000 deep": nested(20_000),
    "a name of 1 MB": new_lead(f'"{"A" * (1 << 20)}"'),
    "an unknown key of 1 MB": new_lead('"Ada"', f', "nothing": "{"A" * (1 << 20)}"'),
    "a body of 5 MB": new_lead('"Ada"', f', "avatar": "{"A" * (5 << 20)}"'),
    "a body of 5 MB of blanks": new_lead('"Ada"') + " " * (5 << 20),
    "1,000 pets": new_lead('"Ada"', f', "pets": [{", ".join([DOG] * 1000)}]'),
}


def requests():
    for name, text in TEXTS.items():
        yield Request(f"text: {name}", "POST", LEADS, encoded(text))
