"""Proxies: all of them by name, made singly or from a list, and reset together."""

import random

from sandbox.toxiproxy import errors, go_json
from sandbox.toxiproxy.errors import ApiError
from sandbox.toxiproxy.go_json import Struct
from sandbox.toxiproxy.proxy import Proxy
from sandbox.toxiproxy.traffic import TrafficBook

_FIELDS = {"name": "string", "listen": "string", "upstream": "string", "enabled": "bool"}
_PROXY = Struct("toxiproxy.Proxy", "Proxy", _FIELDS)
_LIST_TYPE = '[]struct { toxiproxy.Proxy; Enabled *bool "json:\\"enabled\\"" }'
_ELEMENT = Struct(_LIST_TYPE.removeprefix("[]"), "", _FIELDS)


class Proxies:
    """The one set of proxies of this process. One request at a time may change it."""

    def __init__(self, rng: random.Random) -> None:
        self.traffic = TrafficBook()
        self._rng = rng
        self._by_name: dict[str, Proxy] = {}

    def all(self) -> list[Proxy]:
        """Every proxy, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    def get(self, name: str) -> Proxy:
        """The proxy of this name. Raises ApiError."""
        if name not in self._by_name:
            raise errors.proxy_not_found()
        return self._by_name[name]

    async def create(self, body: bytes) -> Proxy:
        """A new proxy; one that cannot listen is not kept. Raises ApiError."""
        sent = go_json.take_object(go_json.parse(body), _PROXY)
        for field in ("name", "upstream"):
            if not sent.get(field):
                raise errors.missing(field)
        if sent["name"] in self._by_name:
            raise errors.proxy_exists()
        proxy = self._new(sent["name"], sent.get("listen", ""), sent["upstream"])
        if sent.get("enabled", True):
            await proxy.start()
        self._by_name[proxy.name] = proxy
        return proxy

    async def change(self, name: str, body: bytes) -> Proxy:
        """Other addresses, on or off; a name in the body is ignored. Raises ApiError."""
        proxy = self.get(name)
        sent = go_json.take_object(go_json.parse(body), _PROXY)
        await proxy.change(
            sent.get("listen", proxy.listen),
            sent.get("upstream", proxy.upstream),
            sent.get("enabled", proxy.enabled),
        )
        return proxy

    async def delete(self, name: str) -> None:
        """Drop it and its connections. Raises ApiError."""
        proxy = self.get(name)
        await proxy.stop()
        del self._by_name[name]

    async def populate(self, body: bytes) -> tuple[list[Proxy], ApiError | None]:
        """Make these proxies; those made before an error stay, and are returned with it.

        An existing proxy with the same addresses is left as it is, toxics and all; else it is replaced.
        """
        done: list[Proxy] = []
        try:
            elements = go_json.take_array(go_json.parse(body), _LIST_TYPE)
            wanted = [go_json.take_object(element, _ELEMENT) for element in elements]
            for place, sent in enumerate(wanted, start=1):
                for field in ("name", "upstream"):
                    if not sent.get(field):
                        raise errors.missing(f"{field} at proxy {place}")
            for sent in wanted:
                proxy = self._new(sent["name"], sent.get("listen", ""), sent["upstream"])
                done.append(await self._add_or_replace(proxy, sent.get("enabled", True)))
        except ApiError as error:
            return done, error
        return done, None

    async def _add_or_replace(self, proxy: Proxy, enabled: bool) -> Proxy:
        existing = self._by_name.get(proxy.name)
        if existing is not None:
            if not await existing.differs(proxy.listen, proxy.upstream):
                return existing
            await existing.stop()
        if enabled:
            await proxy.start()
        self._by_name[proxy.name] = proxy
        return proxy

    async def reset(self) -> None:
        """Every proxy on, every toxic off. Raises ApiError when one cannot listen; the rest is left then."""
        for proxy in self.all():
            await proxy.start()
            proxy.remove_toxics()

    def _new(self, name: str, listen: str, upstream: str) -> Proxy:
        return Proxy(name, listen, upstream, self.traffic, self._rng)
