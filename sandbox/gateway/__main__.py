"""python -m sandbox.gateway: the reference Gateway, configured by environment variables."""

import argparse
import asyncio
import os
import sys

import uvloop

from sandbox.gateway import defects, log, server, settings


def main() -> int:
    """Serve, or list the defects; the exit code (2 when a setting cannot be used)."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.gateway", description=server.__doc__)
    parser.add_argument("--list-defects", action="store_true", help="print the defects that can be planted")
    if parser.parse_args().list_defects:
        width = max(len(defect.usage) for defect in defects.KNOWN.values())
        for defect in defects.KNOWN.values():
            print(f"{defect.usage:<{width}}  {defect.description}")
        return 0
    log.install()
    try:
        chosen = settings.from_environment(os.environ)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(server.run(chosen))
    except (settings.SettingsError, defects.DefectError) as error:
        log.warning("the gateway cannot start", error=str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
