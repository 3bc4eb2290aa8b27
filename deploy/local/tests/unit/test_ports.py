import socket

from relearn_local.ports import PortClaims, is_free


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


def free_stretch() -> int:
    """The first of four neighbouring free ports."""
    return next(port for port in range(20_000, 60_000) if all(is_free(port + i) for i in range(4)))
