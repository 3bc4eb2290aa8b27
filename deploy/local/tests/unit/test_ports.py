import socket

import pytest

from relearn_local import local
from relearn_local.ports import NoFreePort, PortClaims, is_free


def test_the_preferred_port_is_taken_when_it_is_free():
    with PortClaims() as claims:
        assert claims.claim(free := free_stretch()) == free


def test_the_next_free_port_skips_what_listens_what_is_claimed_and_what_is_to_be_avoided():
    start = free_stretch()
    with (
        socket.create_server(("127.0.0.1", start)),
        PortClaims() as other,
        PortClaims(avoid=[start + 2]) as claims,
    ):
        other.claim(start + 1)

        assert claims.claim(start) == start + 3


def test_a_released_port_can_be_claimed_by_others():
    with PortClaims() as mine, PortClaims() as theirs:
        port = mine.claim_any()
        assert theirs.claim(port) != port

        mine.release()

        assert theirs.claim(port) == port


def test_a_port_in_use_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_port_that_is_set_comes_before_that_of_last_time_and_the_default():
    start = free_stretch()
    last = {"gateway": f"127.0.0.1:{start}", "kafka": f"127.0.0.1:{start + 1}"}

    with PortClaims() as claims:
        ports = local.ports(claims, last, {"RELEARN_PORT_GATEWAY": str(start + 2)})

    assert (ports["gateway"], ports["kafka"]) == (start + 2, start + 1)


@pytest.mark.parametrize("said", ["0", "65536", "eight", "-1"])
def test_what_is_no_port_is_refused_with_its_variable(said):
    with pytest.raises(NoFreePort, match="RELEARN_PORT_KAFKA_CONTROLLER must be a port"):
        local.set_ports({"RELEARN_PORT_KAFKA_CONTROLLER": said})


def free_stretch() -> int:
    """The first of four neighbouring free ports."""
    return next(port for port in range(61_000, 65_000) if all(is_free(port + i) for i in range(4)))
