"""Architecture families: registry refuses what training does not know, and nothing else."""

from relearn_registry.domain.project_rules import FAMILIES as ACCEPTED
from relearn_training.domain.search import FAMILIES as KNOWN


def test_registry_accepts_the_families_that_training_knows():
    assert set(ACCEPTED) == set(KNOWN)
