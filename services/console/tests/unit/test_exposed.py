"""What browsers may reach."""

from google.protobuf import descriptor_pool

from relearn_console.exposed import methods
from relearn_runtime.permissions import rule_of

PEOPLE = {"annotator", "reviewer", "manager", "engineer"}


def test_only_what_is_listed_is_exposed():
    services = {path.split("/")[1] for path in methods()}

    assert services == {
        "relearn.console.v1.MediaService",
        "relearn.labeling.v1.LabelingService",
        "relearn.labeling.v1.ManagementService",
        "relearn.labeling.v1.ReviewService",
        "relearn.registry.v1.RegistryService",
    }
    reads = {path.split("/")[2] for path in methods() if "registry" in path}
    assert reads == {"GetProject", "ListProjects"}


def test_every_exposed_method_is_for_people_and_takes_one_message():
    for path in methods():
        _, service, name = path.split("/")
        method = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]

        assert rule_of(method).roles & PEOPLE
        assert not method.client_streaming
