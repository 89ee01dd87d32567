"""leash over gRPC: its descriptors as reflection gives them, and calls that prepare something."""

from typing import NamedTuple

import grpc
from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

SECONDS = 20

LEADS = "moego.business.customer.v1.LeadService"
CUSTOMERS = "moego.business.customer.v1.CustomerService"

# What an error carries: named by no method, and needed to print it.
DETAILS = ["google.rpc.ErrorInfo"]


class Rule(NamedTuple):
    """How HTTP asks for a method."""

    method: str
    verb: str
    path: str
    has_body: bool
    answer: str
    """The full name of the message that answers."""


class Upstream:
    def __init__(self, target, key):
        self.target = target
        self.channel = grpc.insecure_channel(target)
        self.key = key
        self.services = [name for name in self._service_names() if name.startswith("moego.")]
        self.descriptors = FileDescriptorSet(file=self._files([*self.services, *DETAILS]))
        self.pool = DescriptorPool()
        for file in self.descriptors.file:
            self.pool.Add(file)

    def rules(self):
        for file in self.descriptors.file:
            for service in file.service:
                for method in service.method:
                    rule = method.options.Extensions[annotations_pb2.http]
                    verb = rule.WhichOneof("pattern")
                    if verb:
                        name = f"{service.name}.{method.name}"
                        path = getattr(rule, verb)
                        answer = method.output_type.removeprefix(".")
                        yield Rule(name, verb.upper(), path, bool(rule.body), answer)

    def call(self, service, name, body):
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        request = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        call = self.channel.unary_unary(
            f"/{service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        message = json_format.ParseDict(body, request(), descriptor_pool=self.pool)
        metadata = [("authorization", f"Bearer {self.key}")]
        return json_format.MessageToDict(call(message, metadata=metadata, timeout=SECONDS))

    def _service_names(self):
        [answer] = self._reflect(ServerReflectionRequest(list_services=""))
        return [service.name for service in answer.list_services_response.service]

    def _files(self, symbols):
        """The files that declare the symbols, and all that they import, imported files first."""
        known = {}

        def visit(file):
            if file.name in known:
                return
            known[file.name] = None
            missing = [name for name in file.dependency if name not in known]
            for imported in self._read(
                ServerReflectionRequest(file_by_filename=name) for name in missing
            ):
                visit(imported)
            known[file.name] = file
            ordered.append(file)

        ordered = []
        for file in self._read(
            ServerReflectionRequest(file_containing_symbol=name) for name in symbols
        ):
            visit(file)
        return ordered

    def _read(self, requests):
        for answer in self._reflect(*requests):
            if answer.HasField("error_response"):
                raise LookupError(answer.error_response.error_message)
            for file in answer.file_descriptor_response.file_descriptor_proto:
                yield FileDescriptorProto.FromString(file)

    def _reflect(self, *requests):
        stub = ServerReflectionStub(self.channel)
        return list(stub.ServerReflectionInfo(iter(requests), timeout=SECONDS))
