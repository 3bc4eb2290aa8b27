"""`python -m relearn_serving.gateway`: runs one gateway until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys

import uvloop
from pydantic import ValidationError

from relearn_runtime import logs, metrics, new_id, telemetry
from relearn_serving.gateway.app import Gateway
from relearn_serving.gateway.config import Config

log = logging.getLogger(__name__)


def main() -> int:
    try:
        config = Config()  # type: ignore[call-arg]  # from the environment
    except ValidationError as error:
        sys.stderr.write(f"gateway: bad settings\n{error}\n")
        return 2
    logs.configure("gateway", config.log_level)
    metrics.say_build("gateway")
    telemetry.configure("gateway", config.otlp_endpoint)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config))
    except Exception as error:
        log.critical("ended by an error", exc_info=error)
        return 1
    finally:
        telemetry.shutdown()
    return 0


async def _serve(config: Config) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    gateway = Gateway(config, new_id=new_id)
    await gateway.start()
    log.info("gateway serves", extra={"address": gateway.address, "front": config.front})
    stopped, failed = asyncio.create_task(stopping.wait()), asyncio.create_task(gateway.fails())
    await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
    log.info("gateway stops")
    await gateway.stop()
    if not stopped.done():
        await failed  # raises what ended it


if __name__ == "__main__":
    sys.exit(main())
