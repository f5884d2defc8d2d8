"""World: the eight components of one sandbox, how each is started, and in which order they become ready."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from sandbox import kubeconfig, processes, readiness
from sandbox.component import NotReady
from sandbox.fault_proxy import CHECKOUT, FaultProxy, Front
from sandbox.options import AROUND, Options
from sandbox.ports import HOST, Ports
from sandbox.processes import Launch
from sandbox.programs import Programs
from sandbox.redis_binary import RedisBinary
from sandbox.redis_servers import MASTER, RedisServers
from sandbox.spec import Spec
from sandbox.supervisor import Supervisor

_API_RESTART_DELAY_S = 1.0
_PROXY_RESTART_DELAY_S = 1.0


class World:
    """One try at a sandbox: ports, files and components. A second try is a new World."""

    def __init__(
        self,
        options: Options,
        binary: RedisBinary,
        programs: Programs,
        home: Path,
        logs: Path,
        ports: Ports,
    ) -> None:
        self.options = options
        self._environment = processes.clean_environment(os.environ) | {
            processes.RUN_MARK: str(home),
            "PYTHONUNBUFFERED": "1",
        }
        self.kubeconfig = home / "kubeconfig"
        self.gateway_kubeconfig = home / "gateway-kubeconfig"
        self.clock_file = home / "clock"
        self._api_port = ports.pick()
        self._faulty_api_port = ports.pick()
        self._faults_port = ports.pick()
        # Where the Gateway, and nobody else, finds the Kubernetes API, behind its proxy.
        gateway_api_port = self._faulty_api_port
        self.faults_url = f"http://{HOST}:{self._faults_port}"
        self.gateway_port = options.gateway_port or ports.pick()
        if options.gateway_command:
            ports.release(self.gateway_port)  # A foreign server may not be able to share it with its holder.
        redis_ports = (ports.pick(), ports.pick())
        redis_fronts = (ports.pick(), ports.pick())
        self.redis = RedisServers(
            binary=binary,
            directory=home / f"redis-{self._api_port}",
            environment=self._environment,
            redis_ports=redis_ports,
            sentinel_ports=(ports.pick(), ports.pick(), ports.pick()),
            announced_ports=redis_ports if options.redis_layout == AROUND else redis_fronts,
        )
        self.proxy = FaultProxy(
            program=programs.toxiproxy,
            port=ports.pick(),
            fronts=(
                Front("redis-0", redis_fronts[0], redis_ports[0]),
                Front("redis-1", redis_fronts[1], redis_ports[1]),
                Front("kubernetes-api", ports.pick(), gateway_api_port),
            ),
            config=home / "toxiproxy.json",
            environment=self._environment,
        )
        self.control_port = ports.pick()
        scraped = (self.gateway_port, self.control_port)
        self.extras = programs.extras(options, ports, scraped, home, self._environment)
        self._logs = logs
        self._deadline_s = 0.0
        self.supervisor = Supervisor(self._specs(), self.redis)

    def _spec(
        self,
        name: str,
        role: str,
        port: int,
        launch: Callable[[], Awaitable[Launch]],
        lacks: Callable[[], Awaitable[str | None]],
        restart_delay_s: float | None = None,
    ) -> Spec:
        return Spec(name, role, port, self._logs / f"{name}.log", launch, lacks, restart_delay_s)

    def _specs(self) -> list[Spec]:
        redis = self.redis
        specs = [
            self._spec(
                f"redis-{i}", "redis", port, partial(self._redis_launch, i), partial(redis.redis_lacks, i)
            )
            for i, port in enumerate(redis.redis_ports)
        ]
        specs += [
            self._spec(
                f"sentinel-{i}",
                "sentinel",
                port,
                partial(self._sentinel_launch, i),
                partial(redis.sentinel_lacks, i),
            )
            for i, port in enumerate(redis.sentinel_ports)
        ]
        api, gateway = self._api_port, self.gateway_port
        specs.append(
            self._spec(
                "kubernetes-api",
                "kubernetes-api",
                api,
                self._api_launch,
                partial(readiness.lacks, api),
                _API_RESTART_DELAY_S,
            )
        )
        proxy = self.proxy
        specs.append(
            self._spec(
                "toxiproxy", "toxiproxy", proxy.port, proxy.launch, proxy.lacks, _PROXY_RESTART_DELAY_S
            )
        )
        delay_s = self.options.gateway_restart_delay_s
        specs.append(
            self._spec(
                "gateway",
                "gateway",
                gateway,
                self._gateway_launch,
                partial(readiness.gateway_lacks, gateway),
                delay_s,
            )
        )
        for name, extra in self.extras.items():
            specs.append(self._spec(name, name, extra.port, extra.launch, extra.lacks))
        return specs

    async def _redis_launch(self, index: int) -> Launch:
        if self.supervisor.components[f"redis-{index}"].starts == 0:
            return self.redis.redis_launch(index, self.redis.redis_ports[0])
        return await self.redis.redis_relaunch(index)

    async def _sentinel_launch(self, index: int) -> Launch:
        return self.redis.sentinel_launch(index)

    async def _api_launch(self) -> Launch:
        argv = [sys.executable, "-m", "sandbox.kubernetes_api", "--namespace", self.options.namespace]
        for option, port in (
            ("--listen", self._api_port),
            ("--faulty-listen", self._faulty_api_port),
            ("--faults-listen", self._faults_port),
        ):
            argv += [option, f"{HOST}:{port}"]
        return Launch(tuple(argv), self._environment, CHECKOUT)

    async def _gateway_launch(self) -> Launch:
        """As a pod's, the environment is the same in every life: the primary is that of the first start."""
        fronts = self.proxy.fronts[:2]
        known = zip(self.redis.announced_ports, fronts, strict=True)
        mapped = [f"{HOST}:{port}={HOST}:{front.port}" for port, front in known if port != front.port]
        environment = self._environment | {
            "GATEWAY_LISTEN_ADDR": f"{HOST}:{self.gateway_port}",
            "GATEWAY_REDIS_ADDR": f"{HOST}:{fronts[0].port}",
            "GATEWAY_REDIS_ADDRESS_MAP": ",".join(mapped),
            "GATEWAY_REDIS_SENTINELS": ",".join(f"{HOST}:{port}" for port in self.redis.sentinel_ports),
            "GATEWAY_REDIS_MASTER": MASTER,
            "GATEWAY_NAMESPACE": self.options.namespace,
            "GATEWAY_CLOCK_FILE": str(self.clock_file),
            "KUBECONFIG": str(self.gateway_kubeconfig),
        }
        environment |= dict(self.options.gateway_env)
        if self.options.gateway_defects:
            environment["GATEWAY_DEFECTS"] = self.options.gateway_defects
        if self.options.gateway_command:
            return Launch(self.options.gateway_command, environment, self.options.gateway_cwd)
        return Launch((sys.executable, "-m", "sandbox.gateway"), environment, CHECKOUT)

    async def start(self) -> None:
        """Start everything and return when all is ready. Raises NotReady, OSError."""
        self.redis.directory.mkdir()
        self.redis.write_files()
        self.proxy.write_config()
        self.clock_file.touch()
        for extra in self.extras.values():
            extra.write_config()
        for file, port in (
            (self.kubeconfig, self._api_port),
            (self.gateway_kubeconfig, self.proxy.fronts[2].port),
        ):
            kubeconfig.write(file, f"http://{HOST}:{port}", self.options.namespace)
        self._deadline_s = time.monotonic() + self.options.ready_timeout_s
        try:
            async with asyncio.TaskGroup() as group:
                proxy = group.create_task(self._start_ready("toxiproxy"))
                redis = group.create_task(self._start_redis(proxy))
                api = group.create_task(self._start_ready("kubernetes-api"))
                group.create_task(self._start_gateway(redis, api, proxy))
                for name in self.extras:
                    group.create_task(self._start_ready(name))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    def _left_s(self) -> float:
        return max(0.1, self._deadline_s - time.monotonic())

    async def _start_ready(self, name: str) -> None:
        component = self.supervisor.components[name]
        try:
            await component.start()
        except OSError as error:
            raise NotReady(f"{name}: cannot be started: {error}") from error
        await component.wait_ready(self._left_s())

    async def _start_redis(self, proxy: asyncio.Task[None]) -> None:
        """Primary, replica in sync, Sentinels: in this order nobody waits a second for a next try."""
        await self._start_ready("redis-0")
        if self.options.redis_layout != AROUND:
            await proxy  # The replica and the Sentinels already go through it.
        await self._start_ready("redis-1")
        await asyncio.gather(*(self._start_ready(f"sentinel-{i}") for i in range(3)))

    async def _start_gateway(self, *needed: asyncio.Task[None]) -> None:
        """After all that it needs; then wait until the Sentinels could fail over."""
        await asyncio.gather(*needed)
        await self._start_ready("gateway")
        while (lack := await self.redis.agreement_lacks()) is not None:
            if time.monotonic() > self._deadline_s:
                raise NotReady(f"sentinels: not ready in time: {lack}; mend: a longer --ready-timeout")
            await asyncio.sleep(0.05)
