"""The nulls that leash writes and Envoy does not."""

import re
from urllib.parse import unquote

# Messages that may hold any JSON.
FREE_FORM = {"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"}


class Completion:
    """Envoy leaves an absent message out; leash writes null, as grpc-gateway does.

    Only what a client reads from both is compared, so Envoy's answers get these nulls here.
    """

    def __init__(self, rules, pool):
        self.pool = pool
        self.messages = [
            (rule.verb, pattern(rule.path), pool.FindMessageTypeByName(rule.answer))
            for rule in rules
        ]

    def of(self, request, answer):
        if not isinstance(answer.body, dict):
            return answer.body
        if answer.status != 200:
            details = [self._any(detail) for detail in answer.body.get("details", [])]
            return {**answer.body, "details": details}
        path = unquote(request.path.partition("?")[0])
        for verb, path_pattern, message in self.messages:
            if verb == request.verb and path_pattern.fullmatch(path):
                return self._message(answer.body, message)
        return answer.body

    def _any(self, value):
        return self._message(
            value, self.pool.FindMessageTypeByName(value["@type"].rpartition("/")[2])
        )

    def _message(self, value, message):
        if not isinstance(value, dict) or message.full_name in FREE_FORM:
            return value
        whole = dict(value)
        for field in message.fields:
            if field.message_type is None:
                continue
            name = field.json_name
            if name in whole:
                whole[name] = self._field(whole[name], field)
            elif not field.is_repeated and field.containing_oneof is None:
                whole[name] = None
        return whole

    def _field(self, value, field):
        message = field.message_type
        if message.GetOptions().map_entry:
            entry = message.fields_by_name["value"].message_type
            return (
                {key: self._message(one, entry) for key, one in value.items()} if entry else value
            )
        if field.is_repeated:
            return [self._message(one, message) for one in value]
        return self._message(value, message)


def pattern(path):
    """The expression for the paths of a rule; the transcoder overlooks a slash at the end."""
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(map(re.escape, parts)) + "/?")
