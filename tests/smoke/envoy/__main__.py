"""Hundreds of requests, asked of leash's HTTP front and of Envoy's transcoder before its gRPC port.

Envoy is given the descriptors that leash's reflection gives. The status must be the same, and the
JSON, and the field that is refused, but for the differences that known.py lists, each with its
reason. Prints a line for each request. A difference that is not listed, an answer that is not
formed as leash's answers are, or a listed difference that did not show ends it with exit code 1.
"""

import argparse
import json
import sys
from collections import Counter
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path

import headers
import methods
import pages
import paths
import texts
import values
from answer import ask
from completion import Completion
from difference import Neutral, differences
from faults import faults
from known import KNOWN
from proxy import envoy
from upstream import Upstream
from world import World


def main():
    given = arguments()

    def example(name):
        return json.loads((given.examples / f"{name}.json").read_text(encoding="utf-8"))

    upstream = Upstream(given.target, given.key)
    rules = list(upstream.rules())
    requests = list(methods.requests(rules, example))
    for part in [values, texts, paths, headers, pages]:
        requests += part.requests()
    expect_unique(requests)
    requests = [request for request in requests if fnmatchcase(request.name, given.only)]

    comparison = Comparison(Completion(rules, upstream.pool))
    world = World(upstream, example)
    with envoy(upstream) as transcoder:
        for request in requests:
            for_envoy, for_leash = world.prepared(request)
            theirs = ask(transcoder, given.key, request, for_envoy)
            ours = ask(given.target, given.key, request, for_leash)
            comparison.add(request, theirs, ours)
    sys.exit(comparison.summary(len(requests), is_whole=given.only == "*"))


class Comparison:
    """Compares answers, prints a line for each pair, and counts."""

    def __init__(self, completion):
        self.completion = completion
        self.neutral = Neutral(datetime.now(timezone.utc).replace(microsecond=0))
        self.uses = Counter()
        self.failed = []

    def add(self, request, theirs, ours):
        unexplained = [f"fault of leash: {fault}" for fault in faults(request, ours)]
        known = set()
        their_body = self.completion.of(request, theirs)
        for difference in differences(theirs, ours, their_body, self.neutral):
            explained = {
                (number, pattern)
                for number, entry in enumerate(KNOWN, 1)
                for pattern in entry.explaining(request, difference)
            }
            known |= explained
            if not explained:
                unexplained.append("{}: Envoy {}, leash {}".format(*difference))
        self.uses.update(known)
        verdict = " ".join(sorted({f"#{number}" for number, _ in known})) or "same"
        if unexplained:
            verdict = "DIFFERENT"
            self.failed.append(request.name)
        print(f"{theirs!s:12}  {ours!s:12}  {verdict:10} {request.name}")
        for line in unexplained:
            print(f"    {line[:600]}")
        if unexplained:
            print(f"    {request.verb} {request.path[:200]} {(request.body or b'')[:300]!r}")

    def summary(self, asked, is_whole):
        """Prints what was found; the exit code."""
        print(f"\nKnown differences, in {asked} requests:")
        unused = []
        for number, entry in enumerate(KNOWN, 1):
            times = [self.uses[number, pattern] for pattern in entry.requests]
            print(f"#{number:<3} {sum(times):4} times  {entry.reason}")
            if is_whole and not all(times):
                unused.append(number)
        for number in unused:
            idle = [name for name in KNOWN[number - 1].requests if not self.uses[number, name]]
            print(f"FAILED  #{number} is not seen in {idle}")
        for name in self.failed:
            print(f"FAILED  {name}")
        if unused or self.failed:
            return 1
        print(f"\nok      {asked} requests are answered alike, but for what is known")
        return 0


def expect_unique(requests):
    twice = [name for name, times in Counter(r.name for r in requests).items() if times > 1]
    if twice:
        sys.exit(f"two requests of one name: {twice}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--key", required=True)
    parser.add_argument("--examples", required=True, type=Path, metavar="DIR")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="requests of these names")
    return parser.parse_args()


if __name__ == "__main__":
    main()
