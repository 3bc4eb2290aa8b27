"""What browsers may reach: the methods, by contract, and which service answers them. Nothing else passes the bridge.

Whether *this* caller may call a method is the service's own decision, by the token that the bridge passes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from relearn.console.v1 import media_service_pb2
from relearn.labeling.v1 import labeling_service_pb2, management_service_pb2, review_service_pb2
from relearn.registry.v1 import registry_service_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """One method that browsers may call.

    Attributes:
        path: `/package.Service/Method`.
        service: who answers, by the name of its process.
        streams: whether it answers with many messages.
    """

    path: str
    service: str
    request: type[Message]
    response: type[Message]
    streams: bool


_WHOLE = (
    (labeling_service_pb2, "LabelingService", "labeling"),
    (review_service_pb2, "ReviewService", "labeling"),
    (management_service_pb2, "ManagementService", "labeling"),
    (media_service_pb2, "MediaService", "console"),
)
_READS = (registry_service_pb2, "RegistryService", "registry", ("GetProject", "ListProjects"))


def methods() -> dict[str, Exposed]:
    """Everything that is exposed, by path. Methods that take a stream are not: the protocol has none over HTTP/1.1."""
    return {one.path: one for one in _all() if one is not None}


def _all() -> Iterator[Exposed | None]:
    for module, name, service in _WHOLE:
        yield from _of(module.DESCRIPTOR.services_by_name[name], service, lambda _: True)
    module, name, service, reads = _READS
    yield from _of(module.DESCRIPTOR.services_by_name[name], service, lambda method: method.name in reads)


def _of(descriptor: ServiceDescriptor, service: str, wanted: Callable[[MethodDescriptor], bool]) -> Iterator[Exposed]:
    for method in descriptor.methods:
        if wanted(method) and not method.client_streaming:
            yield Exposed(
                path=f"/{descriptor.full_name}/{method.name}",
                service=service,
                request=message_factory.GetMessageClass(method.input_type),
                response=message_factory.GetMessageClass(method.output_type),
                streams=method.server_streaming,
            )
