"""Runs Envoy's transcoder before leash's gRPC port until it is told to stop, as tests/smoke/envoy sets it up."""

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/smoke/envoy"))

from proxy import envoy  # noqa: E402
from upstream import Upstream  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--key", required=True)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    # Blocked before Envoy starts, so that the signal ends this program and not only Envoy.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with envoy(Upstream(given.target, given.key), workers=given.workers) as address:
        print(f"listening on {address}", flush=True)
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
