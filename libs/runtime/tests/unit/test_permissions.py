"""Permissions: every method of every contract says who may call it, and what says nothing is denied."""

from __future__ import annotations

import importlib
import pkgutil

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor

import relearn
from relearn_runtime.callers import Caller
from relearn_runtime.errors import PermissionDenied, Unauthenticated
from relearn_runtime.permissions import DENIED, Permissions, Rule, rule_of, rules_of
from relearn_runtime.tokens import ROLES

ENGINEER = Caller(subject="ada", role="engineer")


def every_file() -> list[FileDescriptor]:
    names = [m.name for m in pkgutil.walk_packages(relearn.__path__, "relearn.") if m.name.endswith("_pb2")]
    return [importlib.import_module(name).DESCRIPTOR for name in names]


METHODS = [method for file in every_file() for service in file.services_by_name.values() for method in service.methods]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_method_declares_who_may_call_it(method):
    rule = rule_of(method)

    assert rule != DENIED, f"{method.full_name} has no option relearn.auth.v1.permission"
    assert rule.open is False, f"{method.full_name} is open to everybody"
    assert rule.roles <= set(ROLES)


def test_there_are_methods():
    assert len(METHODS) > 20


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_only_declared_roles_pass(method):
    allowed = Permissions(rules_of([method.containing_service]))
    name = f"/{method.containing_service.full_name}/{method.name}"

    for role in ("annotator", "engineer", "service", "", "nobody"):
        bearer = Caller(subject="x", role=role)
        if role in rule_of(method).roles:
            allowed.check(name, bearer)
        else:
            with pytest.raises(PermissionDenied):
                allowed.check(name, bearer)
    with pytest.raises(Unauthenticated):
        allowed.check(name, None)


def test_an_undeclared_or_unknown_method_is_denied():
    allowed = Permissions({"/a.B/Declared": Rule(roles=frozenset({"engineer"}))})

    allowed.check("/a.B/Declared", ENGINEER)
    for method in ("/a.B/Other", "/a.C/Declared"):
        with pytest.raises(PermissionDenied, match="nobody"):
            allowed.check(method, ENGINEER)


def test_a_method_without_the_option_is_denied():
    file = descriptor_pb2.FileDescriptorProto(
        name="without_option.proto", package="test.without_option", syntax="proto3"
    )
    file.message_type.add(name="Ping")
    kind = ".test.without_option.Ping"
    file.service.add(name="Pinging").method.add(name="Ping", input_type=kind, output_type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)

    service = pool.FindServiceByName("test.without_option.Pinging")

    assert rules_of([service]) == {"/test.without_option.Pinging/Ping": DENIED}


def test_health_and_reflection_need_no_token_and_a_service_may_be_opened_by_name():
    allowed = Permissions({}, open_services=["inference.GRPCInferenceService"])

    allowed.check("/grpc.health.v1.Health/Check", None)
    allowed.check("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", None)
    allowed.check("/inference.GRPCInferenceService/ModelInfer", None)
    with pytest.raises(Unauthenticated):
        allowed.check("/grpc.channelz.v1.Channelz/GetServers", None)


def test_codes_of_refusals():
    from relearn_runtime.rpc_errors import code_of

    assert code_of(PermissionDenied("no")) is grpc.StatusCode.PERMISSION_DENIED
    assert code_of(Unauthenticated("no")) is grpc.StatusCode.UNAUTHENTICATED
