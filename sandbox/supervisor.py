"""Supervisor: all components by name or role, and the one place that learns of deaths."""

import asyncio
import os
import signal
from collections.abc import Sequence

from sandbox.component import Component, Spec
from sandbox.redis_servers import RedisServers

PRIMARY = "redis-primary"
REPLICA = "redis-replica"


class UnknownComponent(Exception):
    """No component has this name or role; the message lists those that exist."""


class Supervisor:
    """Owns the components. Everything runs on the one event loop of the main thread."""

    def __init__(self, specs: Sequence[Spec], redis: RedisServers) -> None:
        self.components = {spec.name: Component(spec) for spec in specs}
        self._redis = redis
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)

    def reap(self) -> None:
        """Reap every dead child and adopted orphan; what is left of a dead component's group is killed."""
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            owner = next((c for c in self.components.values() if c.pid == dead.si_pid), None)
            if owner is not None:
                # Before the reaping: until then the number of the group cannot be another's.
                os.killpg(dead.si_pid, signal.SIGKILL)
            os.waitpid(dead.si_pid, 0)
            if owner is not None:
                owner.died(dead.si_status if dead.si_code == os.CLD_EXITED else -dead.si_status)

    async def roles(self) -> dict[str, str]:
        """The role of each component now; a Redis is just 'redis' while the Sentinels do not agree."""
        primary = await self._redis.primary_port()
        roles = {}
        for name, component in self.components.items():
            role = component.spec.role
            if role == "redis" and primary is not None:
                role = PRIMARY if component.spec.port == primary else REPLICA
            roles[name] = role
        return roles

    async def find(self, name: str) -> Component:
        """The component of this name, or with the role redis-primary or -replica. Raises UnknownComponent."""
        if name in self.components:
            return self.components[name]
        if name in (PRIMARY, REPLICA):
            for owner, role in (await self.roles()).items():
                if role == name:
                    return self.components[owner]
            raise UnknownComponent(
                f"no {name} now: the Sentinels do not agree on a primary; mend: use redis-0 or redis-1"
            )
        exist = ", ".join([*self.components, PRIMARY, REPLICA])
        raise UnknownComponent(f"no component {name!r}; there are: {exist}")

    def close(self) -> None:
        """No more starts."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
        for component in self.components.values():
            component.close()
