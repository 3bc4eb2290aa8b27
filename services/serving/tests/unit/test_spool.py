"""The queue on disk: order, bounds, and what a kill leaves behind."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from relearn_runtime.envelope import Record
from relearn_serving.gateway.spool import Spool, pack, unpack


def record(number: int, size: int = 100) -> Record:
    return Record(
        topic="t", key=b"shop/0", value=bytes([number % 256]) * size, headers=(("ce_id", str(number).encode()),)
    )


def spool(folder: Path, *, max_bytes: int = 1 << 20, segment_bytes: int = 1000) -> Spool:
    return Spool(folder, max_bytes=max_bytes, segment_bytes=segment_bytes)


def drain(kept: Spool) -> list[Record]:
    records: list[Record] = []
    while (path := kept.oldest()) is not None:
        records += kept.read(path)
        kept.remove(path)
    return records


def test_records_come_back_in_order_over_many_segments_and_a_restart(tmp_path: Path):
    first = spool(tmp_path)
    written = [record(number) for number in range(50)]
    assert all(first.append(each) for each in written[:40])
    first.sync()

    second = spool(tmp_path)  # the first was killed: never closed
    assert second.records == 40
    assert all(second.append(each) for each in written[40:])

    assert drain(second) == written
    assert (second.records, second.size_bytes, bool(second)) == (0, 0, False)


def test_what_exceeds_the_bound_is_refused_and_room_comes_back(tmp_path: Path):
    kept = spool(tmp_path, max_bytes=1_000)
    accepted = sum(kept.append(record(number)) for number in range(20))

    assert 0 < accepted < 20
    assert kept.size_bytes <= 1_000
    assert len(drain(kept)) == accepted
    assert kept.append(record(1))


def test_a_torn_end_is_cut_off_and_counted(tmp_path: Path):
    kept = spool(tmp_path, segment_bytes=1 << 20)
    for number in range(3):
        kept.append(record(number))
    kept.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-10])

    again = spool(tmp_path)

    assert drain(again) == [record(0), record(1)]
    assert again.corrupt == 1


def test_a_flipped_bit_is_noticed(tmp_path: Path):
    kept = spool(tmp_path)
    kept.append(record(1))
    kept.close()
    (path,) = tmp_path.iterdir()
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)

    again = spool(tmp_path)

    assert drain(again) == []
    assert again.corrupt == 1


@given(
    st.binary(max_size=300), st.lists(st.tuples(st.text(min_size=1, max_size=9), st.binary(max_size=30)), max_size=5)
)
def test_a_record_survives_packing(value: bytes, headers: list[tuple[str, bytes]]):
    kept = Record(topic="relearn.x", key=b"k", value=value, headers=tuple(headers))

    assert unpack(pack(kept)[8:]) == kept
