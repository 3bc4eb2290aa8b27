"""Who may call which method, as the contracts' method option says it; what says nothing is denied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from relearn.auth.v1 import permission_pb2
from relearn_runtime.callers import Caller
from relearn_runtime.errors import PermissionDenied, Unauthenticated

_WITHOUT_TOKEN = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
    "grpc.reflection.v1.ServerReflection",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may call one method."""

    roles: frozenset[str] = frozenset()
    open: bool = False


DENIED = Rule()


def rule_of(method: MethodDescriptor) -> Rule:
    """The rule that a method's option declares; DENIED when it declares none."""
    options = method.GetOptions()
    if not options.HasExtension(permission_pb2.permission):
        return DENIED
    declared = options.Extensions[permission_pb2.permission]
    # a role that this process does not know yet grants nothing
    known = permission_pb2.Role.DESCRIPTOR.values_by_number
    names = {known[role].name for role in declared.roles if role in known and role != 0}
    return Rule(roles=frozenset(name.removeprefix("ROLE_").lower() for name in names), open=declared.open)


def rules_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, Rule]:
    """Rules by full method name, `/package.Service/Method`."""
    return {
        f"/{service.full_name}/{method.name}": rule_of(method) for service in services for method in service.methods
    }


class Permissions:
    """Decides about calls; everything not declared is denied."""

    def __init__(self, rules: Mapping[str, Rule], *, open_services: Iterable[str] = ()) -> None:
        self._rules = rules
        self._open = _WITHOUT_TOKEN | set(open_services)

    def check(self, method: str, bearer: Caller | None) -> None:
        """Lets a call pass.

        Raises:
            Unauthenticated: the method needs a token, and none that we know came with the call.
            PermissionDenied: the bearer's role may not call it, or nobody may.
        """
        rule = self._rules.get(method, DENIED)
        if rule.open or method.split("/")[1] in self._open:
            return
        if bearer is None:
            raise Unauthenticated("this method needs a token: metadata `authorization: Bearer <token>`")
        if bearer.role not in rule.roles:
            may = ", ".join(sorted(rule.roles)) or "nobody"
            raise PermissionDenied(f"{bearer.subject} ({bearer.role}) may not call {method}; allowed: {may}")
