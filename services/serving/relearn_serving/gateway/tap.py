"""The tap: every prediction leaves for Kafka without ever making an answer wait.

While the broker answers, `offer` is one `Producer.produce`. When it does not, records go to the
spool on disk and are replayed in order once it is back. What fits neither is counted as dropped.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from relearn_runtime.envelope import Record
from relearn_serving.gateway.spool import Spool

log = logging.getLogger(__name__)

OnDelivery = Callable[[KafkaError | None, Message], None]

_POLL_S = 0.05
_SYNC_EVERY_S = 1.0
_PROBE_S = 0.25
_HANDOFF_MAX_BYTES = 32 << 20
_PURGED_WITHIN_S = 5.0
# Sending these again can never help; whatever else goes wrong may be over one day.
_HOPELESS = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})


@dataclass(frozen=True, slots=True, kw_only=True)
class TapCounts:
    """Since the gateway started."""

    delivered: int
    spooled: int
    dropped: int
    waiting: int  # in the spool now
    waiting_bytes: int


def producer_settings(bootstrap_servers: str) -> dict[str, str | int | float | bool]:
    """Bounded memory, and a broker that hangs is given up on after five seconds."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": "relearn-gateway",
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 20,
        "message.timeout.ms": 5_000,
        "queue.buffering.max.messages": 20_000,
        "queue.buffering.max.kbytes": 65_536,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        "log_level": 2,
    }


class Tap:
    """Owns the producer, the spool and one thread. `offer` may be called from any thread."""

    def __init__(self, settings: Mapping[str, str | int | float | bool], spool: Spool) -> None:
        self._settings = {**settings, "error_cb": self._on_error}
        self._producer = Producer(self._settings)
        self._spool = spool
        self._handoff: deque[Record] = deque()
        self._handoff_bytes = 0
        self._handoff_lock = threading.Lock()
        self._direct = not spool  # what an earlier life left behind goes first
        self._away = threading.Event()  # the broker is believed to be away; set by librdkafka's callback
        self._broken = False  # the producer itself is of no more use
        self._stopping = threading.Event()
        self._replaying = 0  # records of the segment being replayed that are still under way
        self._replay_failed = False
        self._caught_up = False  # the last segment that was sent has arrived
        self._next_sync = 0.0
        self._delivered = self._spooled = self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="tap", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, record: Record) -> None:
        """Takes the record; returns in microseconds whatever the broker and the disk do."""
        if self._direct and not self._away.is_set() and self._sent(record):
            return
        size = len(record.value or b"")
        with self._handoff_lock:
            if self._handoff_bytes + size > _HANDOFF_MAX_BYTES:
                self._dropped += 1
                return
            self._handoff_bytes += size
            self._handoff.append(record)

    def counts(self) -> TapCounts:
        return TapCounts(
            delivered=self._delivered,
            spooled=self._spooled,
            dropped=self._dropped + self._spool.corrupt,
            waiting=self._spool.records,
            waiting_bytes=self._spool.size_bytes,
        )

    def stop(self, *, deadline_s: float = 3.0) -> None:
        """Delivers what it can until the deadline; the rest waits in the spool for the next start.

        The thread ends first: delivery reports write to the spool, which one thread uses at a time.
        """
        self._stopping.set()
        self._thread.join()
        self._direct = False
        if not self._away.is_set():
            self._producer.flush(deadline_s)
        self._give_up_on_the_queue()
        self._drain_handoff()
        self._spool.close()

    def _sent(self, record: Record) -> bool:
        """Whether the record is out of our hands; False when it has to wait on the disk."""
        try:
            self._produce(record, partial(self._on_delivery, record))
        except BufferError:  # the broker is slower than the traffic
            return False
        except KafkaException as error:
            if not _hopeless(error):
                self._away.set()
                return False
            self._count_dropped()
        return True

    def _produce(self, record: Record, on_delivery: OnDelivery) -> None:
        self._producer.produce(
            record.topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers or ()),
            on_delivery=on_delivery,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tend()
                if self._away.is_set() and self._direct:
                    self._to_spool()
                if self._broken:
                    self._renew()
                if not self._direct:
                    self._replay()
            except Exception:
                log.exception("tap failed; going on")
                self._stopping.wait(1.0)

    def _tend(self) -> None:
        """Serves delivery reports and moves what serving threads left for the disk.

        Sleeps, then serves all reports in one go: a `poll` that waits would wake, and take the
        interpreter from the serving thread, for every batch the broker acknowledges.
        """
        self._stopping.wait(_POLL_S)
        self._producer.poll(0)
        self._drain_handoff()
        if time.monotonic() >= self._next_sync:
            self._next_sync = time.monotonic() + _SYNC_EVERY_S
            self._spool.sync()

    def _on_error(self, error: KafkaError) -> None:
        """Called by librdkafka inside `poll` or `flush`."""
        if error.fatal():
            log.error("the producer failed for good; it is made anew", extra={"problem": error.str()})
            self._broken = True
            self._away.set()
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away.set()

    def _on_delivery(self, record: Record, error: KafkaError | None, _message: Message) -> None:
        """Called by librdkafka inside `poll`, `flush` or `purge`, once per record handed to it.

        The record itself is kept, not the message of the report: that one has lost its headers.
        """
        if error is None:
            self._delivered += 1
        elif error.code() in _HOPELESS:
            log.error("prediction refused by the broker", extra={"reason": error.str()})
            self._count_dropped()
        else:
            self._away.set()
            self._keep(record)

    def _to_spool(self) -> None:
        """Stops sending directly; what librdkafka still holds comes back through `_on_delivery`, in order."""
        self._direct = False
        log.warning("broker away: predictions go to the spool")
        self._give_up_on_the_queue()

    def _renew(self) -> None:
        """An idempotent producer that met a fatal error sends nothing any more: the next one replays the spool."""
        self._give_up_on_the_queue()
        self._producer = Producer(self._settings)
        self._broken = False

    def _give_up_on_the_queue(self) -> None:
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer.flush(_PURGED_WITHIN_S)

    def _drain_handoff(self) -> None:
        """What serving threads left behind: after the spool's last records if it is being emptied, else to the disk."""
        while self._handoff:
            record = self._handoff.popleft()
            with self._handoff_lock:
                self._handoff_bytes -= len(record.value or b"")
            if self._direct and self._sent(record):
                continue
            self._direct = False
            self._keep(record)

    def _keep(self, record: Record) -> None:
        if self._spool.append(record):
            self._spooled += 1
        else:
            self._count_dropped()

    def _count_dropped(self) -> None:
        with self._handoff_lock:
            self._dropped += 1

    def _replay(self) -> None:
        """Sends the oldest segment; it is removed only when every record of it has arrived.

        Behind the last segment new records follow directly: while traffic goes on, a spool that
        had to become empty first never would.
        """
        path = self._spool.oldest()
        if path is None:
            if self._broker_answers():
                self._go_direct()
            return
        sent = self._send(path)
        if sent and self._caught_up and self._spool.is_last(path):
            self._go_direct()
        self._caught_up = sent and self._wait_for_replay() and not self._replay_failed
        if self._caught_up:
            self._spool.remove(path)
        else:
            self._direct = False
            self._give_up_on_the_queue()
            self._stopping.wait(_PROBE_S)

    def _go_direct(self) -> None:
        self._away.clear()
        self._direct = True
        log.info("broker answers: predictions go to it directly")

    def _broker_answers(self) -> bool:
        try:
            self._producer.list_topics(timeout=_PROBE_S)
        except KafkaException:
            return False
        return True

    def _send(self, path: Path) -> bool:
        """Hands every record of a segment to the producer; False when that failed on the way."""
        self._replaying, self._replay_failed = 0, False
        for record in self._spool.read(path):
            while not self._stopping.is_set():
                try:
                    self._produce(record, self._on_replayed)
                    self._replaying += 1
                    break
                except BufferError:
                    self._producer.poll(_POLL_S)
                except KafkaException as error:
                    if not _hopeless(error):
                        return False
                    self._count_dropped()
                    break
            if self._replay_failed or self._stopping.is_set():
                return False
        return True

    def _wait_for_replay(self) -> bool:
        """Waits for the delivery reports; meanwhile new records go on reaching the disk, or the broker."""
        while self._replaying and not self._stopping.is_set():
            self._tend()
        return self._replaying == 0

    def _on_replayed(self, error: KafkaError | None, _message: Message) -> None:
        self._replaying -= 1
        if error is None:
            self._delivered += 1
        elif error.code() in _HOPELESS:
            self._count_dropped()
        else:
            self._replay_failed = True


def _hopeless(error: KafkaException) -> bool:
    return error.args[0].code() in _HOPELESS
