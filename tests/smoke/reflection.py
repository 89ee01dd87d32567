"""The story of a lead, told to a fresh `leash demo` by a client that has only its address and key.

Messages and methods come from server reflection, bodies from the examples of the API's documents.
Prints a line for each step; the first answer that is not as documented ends it with exit code 1.
"""

import argparse
import json
import sys
from pathlib import Path

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

LEADS = "moego.business.customer.v1.LeadService"
CUSTOMERS = "moego.business.customer.v1.CustomerService"
SETTINGS = "moego.business.setting.v1.SettingService"

SECONDS = 20


class Mismatch(Exception):
    """An answer that is not as documented."""


class Client:
    """Calls methods by name, with JSON in and out, through descriptors that the server gave."""

    def __init__(self, target, key):
        self.channel = grpc.insecure_channel(target)
        self.reflection = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = DescriptorPool(self.reflection)
        self.key = key

    def services(self):
        return set(self.reflection.get_services())

    def call(self, service, name, body):
        return self._call(service, name, body, [("authorization", f"Bearer {self.key}")])

    def refusal(self, service, name, body, code, *, key=True):
        """The details of the error that the call must end with, by the name of their type."""
        metadata = [("authorization", f"Bearer {self.key}")] if key else []
        try:
            answer = self._call(service, name, body, metadata)
        except grpc.RpcError as error:
            expect(error.code(), code, "the status code")
            status = rpc_status.from_call(error)
            if status is None:
                raise Mismatch("the error has no details") from error
            return details(status)
        raise Mismatch(f"{name} answered {answer}, not {code.name}")

    def health(self, service):
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    def _call(self, service, name, body, metadata):
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        request = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        call = self.channel.unary_unary(
            f"/{service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        message = json_format.ParseDict(body, request(), descriptor_pool=self.pool)
        return json_format.MessageToDict(call(message, metadata=metadata, timeout=SECONDS))


def details(status):
    """The details of a google.rpc.Status, by the name of their type."""
    found = {}
    for packed in status.details:
        name = packed.TypeName().removeprefix("google.rpc.")
        message = getattr(error_details_pb2, name)()
        packed.Unpack(message)
        found[name] = message
    expect(found["ErrorInfo"].domain, "leash", "the domain of the error")
    if not found["RequestInfo"].request_id:
        raise Mismatch("the error has no request id")
    return found


def expect(actual, wanted, what):
    if actual != wanted:
        raise Mismatch(f"{what}: {actual!r}, expected {wanted!r}")


def expect_documented(actual, documented, what):
    """Everything that is documented is there; objects may hold more."""
    if isinstance(documented, dict) and isinstance(actual, dict):
        for name, value in documented.items():
            expect_documented(actual.get(name), value, f"{what}.{name}")
    elif isinstance(documented, list) and isinstance(actual, list):
        expect(len(actual), len(documented), f"the length of {what}")
        for index, value in enumerate(documented):
            expect_documented(actual[index], value, f"{what}[{index}]")
    else:
        expect(actual, documented, what)


def only(entries, entry_id, what):
    found = [entry for entry in entries if entry["id"] == entry_id]
    expect(len(found), 1, f"the number of entries {entry_id} in {what}")
    return found[0]


def discover(client, example):
    missing = {LEADS, CUSTOMERS, SETTINGS} - client.services()
    expect(missing, set(), "services that reflection does not list")


def be_healthy(client, example):
    for service in ["", LEADS, CUSTOMERS, SETTINGS]:
        expect(client.health(service), "SERVING", f"the health of {service or 'the server'}")


def read_settings(client, example):
    tags = client.call(SETTINGS, "ListCustomerTags", example("list_customer_tags.request"))
    expect(tags, example("list_customer_tags.response"), "the tags")

    request = example("list_customer_referral_sources.request")
    sources = client.call(SETTINGS, "ListCustomerReferralSources", request)
    expect(sources, example("list_customer_referral_sources.response"), "the referral sources")

    company = {"companyId": "cmp_001"}
    stages = client.call(SETTINGS, "ListLeadsLifeCycles", company)["lifeCycles"]
    expect(only(stages, "lc_001", "the life cycles")["name"], "Qualified", "the name of lc_001")
    defaults = [stage for stage in stages if stage.get("isDefault")]
    expect(len(defaults), 1, "the number of default stages")

    statuses = client.call(SETTINGS, "ListLeadsActionStatus", company)["actionStatuses"]
    documented = {"id": "as_001", "name": "Contacted", "color": "#00FF00"}
    expect(only(statuses, "as_001", "the action statuses"), documented, "as_001")

    lead_fields = {**company, "filter": {"associationTypes": ["LEAD"]}}
    fields = client.call(SETTINGS, "ListCustomFields", lead_fields)["customFields"]
    missing = set(example("create_lead.request")["lead"]["customFields"]) - {
        field["code"] for field in fields
    }
    expect(missing, set(), "custom fields that are not there")


def list_leads(client, example):
    request = example("list_leads.request")
    page = client.call(LEADS, "ListLeads", request)
    [documented] = example("list_leads.response")["leads"]
    expect_documented(only(page["leads"], "lcus_001", "the page"), documented, "lcus_001")


def walk_leads(client, example):
    request = {"companyId": "cmp_001", "pagination": {"pageSize": 5}}
    seen = []
    while True:
        page = client.call(LEADS, "ListLeads", request)
        seen += [lead["id"] for lead in page["leads"]]
        if "nextPageToken" not in page:
            break
        request["pagination"]["pageToken"] = page["nextPageToken"]
    expect(len(seen), len(set(seen)), "the number of leads in a walk over all pages")
    if len(seen) <= 20:
        raise Mismatch(f"the demo has {len(seen)} leads, too few to walk through")


def create_lead(client, example):
    request = example("create_lead.request")
    lead = client.call(LEADS, "CreateLead", request)
    documented = request["lead"]
    address = documented["address"]
    address |= {"address1": address["street"], "postalCode": address["zip"]}
    expect_documented(lead, documented, "the lead")
    expect(lead["companyId"], "cmp_001", "the company of the lead")
    expect(lead["id"][:5], "lcus_", "the prefix of the lead's id")
    expect(lead["pets"][0]["id"][:4], "pet_", "the prefix of the pet's id")
    expect(lead["lifeCycle"]["isDefault"], True, "that the lead starts in the default stage")
    given = request["complianceConfig"]
    channels = ["serviceRelatedChannels", "marketingCampaignsChannels"]
    given |= {name: given[name]["channels"] for name in channels}
    expect(lead["complianceConfig"], given, "the compliance config")
    read = client.call(LEADS, "GetLead", {"id": lead["id"]})
    expect(read, lead, "the lead when it is read")


def update_lead(client, example):
    request = example("update_lead.request")
    before = client.call(LEADS, "GetLead", {"id": "lcus_001"})
    lead = client.call(LEADS, "UpdateLead", request)
    expect_documented(lead, request["lead"], "the lead")
    compliance = lead["complianceConfig"]
    expect(compliance["serviceRelatedChannels"], ["COMPLIANCE_CHANNEL_SMS"], "the service channels")
    for cleared in ["marketingCampaignsChannels", "isAgreedMarketingPolicy", "isConsented"]:
        expect(compliance.get(cleared), None, cleared)
    expect(lead["customFields"], before["customFields"], "custom fields that were not mentioned")
    if lead["lastUpdatedTime"] <= before["lastUpdatedTime"]:
        raise Mismatch("the time of the last update did not move forward")


def refuse_bad_input(client, example):
    lead = {"email": "nobody", "phone": "12", "pets": [{"name": " "}]}
    found = client.refusal(
        LEADS, "CreateLead", {"lead": lead}, grpc.StatusCode.INVALID_ARGUMENT
    )
    violations = found["BadRequest"].field_violations
    documented = {"lead.first_name", "lead.phone", "lead.email"}
    documented |= {f"lead.pets[0].{name}" for name in ["name", "type", "breed"]}
    expect({violation.field for violation in violations}, documented, "the fields in violation")


def refuse_without_key(client, example):
    request = {"id": "lcus_001"}
    client.refusal(LEADS, "GetLead", request, grpc.StatusCode.UNAUTHENTICATED, key=False)


def promote_lead(client, example):
    request = example("promote_lead.request")
    lead = client.call(LEADS, "GetLead", request)
    customer = client.call(LEADS, "PromoteLead", request)["customer"]
    kept = ["firstName", "lastName", "phone", "email", "companyId", "complianceConfig"]
    for name in [*kept, "customFields"]:
        expect(customer[name], lead[name], name)
    expect(customer["id"][:4], "cus_", "the prefix of the customer's id")
    expect(customer["status"], "ACTIVE", "the status")
    wanted = ["receiveAutoMessage", "receiveAutoEmail", "receiveAppointmentReminder"]
    expect(customer["preference"], {name: True for name in wanted}, "the preference")

    read = client.call(CUSTOMERS, "GetCustomer", {"id": customer["id"]})
    expect(read, customer, "the customer when it is read")
    for name in ["GetLead", "PromoteLead"]:
        found = client.refusal(LEADS, name, request, grpc.StatusCode.NOT_FOUND)
        info = found["ErrorInfo"]
        expect(info.reason, "LEAD_PROMOTED", f"the reason in the error of {name}")
        expect(info.metadata["customer_id"], customer["id"], f"the customer in the error of {name}")


STORY = {
    "reflection lists the services": discover,
    "the server and its services are healthy": be_healthy,
    "the settings are the documented ones": read_settings,
    "lcus_001 is listed as documented": list_leads,
    "pages hold every lead once": walk_leads,
    "the documented lead is created and read back": create_lead,
    "lcus_001 is updated as documented": update_lead,
    "bad input is refused with every violation": refuse_bad_input,
    "a call without a key is refused": refuse_without_key,
    "lcus_001 is promoted, once": promote_lead,
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--target", required=True, metavar="HOST:PORT")
    arguments.add_argument("--key", required=True)
    arguments.add_argument("--examples", required=True, type=Path, metavar="DIR")
    given = arguments.parse_args()

    def example(name):
        return json.loads((given.examples / f"{name}.json").read_text(encoding="utf-8"))

    client = Client(given.target, given.key)
    for sentence, tell in STORY.items():
        try:
            tell(client, example)
        except (Mismatch, grpc.RpcError, LookupError) as error:
            sys.exit(f"FAILED  {sentence}\n        {type(error).__name__}: {error}")
        print(f"ok      {sentence}", flush=True)


if __name__ == "__main__":
    main()
