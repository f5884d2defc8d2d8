"""What sends alerts in a process, be it a run's only one or a worker: transport, delivery and emitter."""

from __future__ import annotations

from collections.abc import Callable

from chaos_hooks.clock import RunClock
from chaos_hooks.delivery import Delivery, Told
from chaos_hooks.emitter import Emitter
from chaos_hooks.ledger import Ledger
from chaos_hooks.orders import Orders
from chaos_hooks.sender import Sender


def connect(orders: Orders, clock: RunClock) -> Sender:
    """Return the transport to the run's target; nothing is connected yet."""
    return Sender(
        orders.url,
        headers=orders.headers,
        connect_timeout_s=orders.connect_timeout_s,
        answer_timeout_s=orders.answer_timeout_s,
        clock=clock.now,
        traced=orders.traced,
        **({"max_idle": 0} if orders.fresh else {}),
    )


def emitter(
    orders: Orders,
    sender: Sender,
    ledger: Ledger,
    clock: RunClock,
    told: Told,
    fail: Callable[[BaseException], None],
) -> Emitter:
    """Return what sends alerts at their due times and writes down what becomes of them."""
    delivery = Delivery(orders.naming, sender, orders.answers, ledger, clock, told, orders.pushed_until_s)
    return Emitter(delivery, clock, fail, orders.policy)
