"""`python -m sandbox`: start the embedded world, say in one line that it is ready, keep it."""

import os
import sys
import time

from sandbox import options

_BEGAN_AT_S = time.monotonic()


def main() -> int:
    """Parse, then keep. The exit status: 0, or 1 with a failed event on stdout."""
    if sys.platform != "linux":
        print('{"event": "failed", "error": "sandbox: needs Linux; mend: use a container"}')
        return 1
    from sandbox import keeper, namespace
    from sandbox.ports import PortError

    try:
        asked = options.parse(sys.argv[1:], os.environ)
    except options.OptionError as error:
        keeper.say({"event": "failed", "error": f"sandbox: {error}; mend: python -m sandbox --help"})
        return 1
    doors = None
    if asked.network == namespace.NAMESPACE:
        try:
            doors = namespace.enter(asked.gateway_port)
        except (namespace.NamespaceError, PortError, OSError) as error:
            keeper.say({"event": "failed", "error": f"sandbox: {error}"})
            return 1
    return keeper.main(asked, _BEGAN_AT_S, doors)


if __name__ == "__main__":
    sys.exit(main())
