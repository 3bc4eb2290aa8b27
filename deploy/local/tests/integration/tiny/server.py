"""A process for a supervisor to keep: `server.py PORT [ignore-sigterm] [with-child PIDFILE] [serving]`."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def main() -> None:
    port, *rest = sys.argv[1:]
    if "ignore-sigterm" in rest:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "with-child" in rest:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(rest[rest.index("with-child") + 1]).write_text(str(child.pid))
    print(f"listening on {port}", flush=True)
    if "serving" in rest:
        serve_health(int(port))
    with socket.create_server(("127.0.0.1", int(port))) as server:
        while True:
            server.accept()[0].close()


def serve_health(port: int) -> None:
    import grpc
    from grpc_health.v1 import health, health_pb2_grpc

    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


main()
