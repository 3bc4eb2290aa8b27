"""The topic files against the code: who sends what, under which key, and who listens."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor

from relearn_contracts.topics import all_topics, topic_of
from relearn_local import local
from relearn_local.ports import PortClaims
from relearn_local.services import SERVICES
from relearn_local.stack import Home
from relearn_runtime import RuntimeConfig, new_id, utc_now

ROOT = Path(__file__).resolve().parents[2]
TOPICS = {topic.name: topic for topic in all_topics()}
PROCESSES = {service.name: service for service in SERVICES}
EVENT_FILES = sorted((ROOT / "proto").glob("relearn/*/v1/events.proto"))


def events_of(path):
    """Full names of the events of an events.proto: its messages, but for those that are only parts of another."""
    module = ".".join(path.relative_to(ROOT / "proto").with_suffix("").parts) + "_pb2"
    messages = importlib.import_module(module).DESCRIPTOR.message_types_by_name.values()
    parts = {field.message_type.full_name for message in messages for field in message.fields if field.message_type}
    return {message.full_name for message in messages} - parts


def field_of(event, dotted):
    """The descriptor of a field by its dotted name."""
    for path in EVENT_FILES:
        events_of(path)
    message, field = descriptor_pool.Default().FindMessageTypeByName(event), None
    for name in dotted.split("."):
        field = message.fields_by_name[name]
        message = field.message_type
    return field


def listed(process):
    """Events whose topic file names this process as a consumer."""
    return {event for topic in TOPICS.values() for event, names in topic.consumers.items() if process in names}


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    home = Home(path=tmp_path_factory.mktemp("home"))
    claims = PortClaims(avoid=local.DEFAULT_PORTS.values())
    processes = local.processes(home, port=local.ports(claims, {}, {}), secret=local.secrets(home))
    yield {process.name: process.environment for process in processes}
    claims.release()


@pytest.mark.parametrize("path", EVENT_FILES, ids=lambda path: path.parts[-3])
def test_every_event_is_on_exactly_one_topic(path):
    for event in events_of(path):
        carrying = [topic.name for topic in TOPICS.values() if event in topic.events]
        assert len(carrying) == 1, f"{event} is on {carrying or 'no topic'}"


def made_in(package):
    """Names of the classes that the code of a package calls."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@pytest.mark.parametrize("process", sorted({topic.owner for topic in TOPICS.values()}))
def test_a_process_makes_no_event_of_another(process):
    package = importlib.import_module(PROCESSES[process].module)
    owner_of = {event.rpartition(".")[2]: topic.owner for topic in TOPICS.values() for event in topic.events}

    made = set(made_in(Path(package.__file__).parent)) & set(owner_of)

    assert {event: owner_of[event] for event in made} == dict.fromkeys(made, process)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_topic_carries_only_events_that_exist(topic):
    known = {event for path in EVENT_FILES for event in events_of(path)}

    assert set(topic.events) <= known


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_key_and_subject_are_texts_of_every_event(topic):
    for event in topic.events:
        for dotted in (topic.key, topic.subjects[event]):
            field = field_of(event, dotted)
            assert field.cpp_type == FieldDescriptor.CPPTYPE_STRING, f"{event}.{dotted}"
            assert not field.is_repeated


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_owner_and_consumers_are_processes_of_ours(topic):
    named = {topic.owner, *(name for names in topic.consumers.values() for name in names)}

    assert named <= set(PROCESSES)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_topic_lies_in_the_package_of_its_owner(topic):
    _, package, _, version = topic.name.split(".")

    assert package == PROCESSES[topic.owner].package
    assert all(event.startswith(f"relearn.{package}.{version}.") for event in topic.events)


@pytest.mark.parametrize("name", [name for name, service in PROCESSES.items() if service.database])
async def test_the_subscribers_of_a_service_are_the_consumers_listed(name, environments, monkeypatch):
    module = PROCESSES[name].module
    for variable, value in environments[name].items():
        monkeypatch.setenv(variable, value)
    config = importlib.import_module(f"{module}.config").Config()

    service = importlib.import_module(f"{module}.app").build(config, new_id=new_id, now=utc_now)

    assert set(service.subscriptions) == listed(name)
    await service.stop()


def test_the_gateway_reads_what_is_listed_by_its_own_consumer():
    """It has no database and so no handlers: the events of others that its modules name are those it reads."""
    package = importlib.import_module(PROCESSES["gateway"].module)
    named = set()
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.name.endswith("__main__"):
            continue
        for thing in vars(importlib.import_module(found.name)).values():
            full_name = getattr(getattr(thing, "DESCRIPTOR", None), "full_name", "")
            if full_name in {event for topic in TOPICS.values() for event in topic.events}:
                named.add(full_name)

    assert {event for event in named if topic_of(event).owner != "gateway"} == listed("gateway")


def test_an_event_is_known_for_longer_than_any_topic_keeps_it():
    longest = max(topic.retention for topic in TOPICS.values() if topic.retention is not None)
    (least,) = [
        bound.ge for bound in RuntimeConfig.model_fields["inbox_retention_days"].metadata if hasattr(bound, "ge")
    ]

    assert least > longest.days
