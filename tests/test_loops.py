"""The loops of a wire, in Python and compiled: what each does by itself, and what it leaves to its owner."""

from __future__ import annotations

import gc
import os
import select
import socket
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_hooks import loops, python_loops
from chaos_hooks.exchange import Exchange
from shapes import compiled

BUILT = compiled.load("chaos_hooks._loops", loops.API)
KNOWN = {
    b"HTTP/1.1 201 Created\r\nContent-Length: 2": (201, 2),
    b"HTTP/1.1 503 No\r\nContent-Length: 0": (503, 0),
}
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n"
BUSY = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(params=["python", "compiled"])
def module(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "python":
        return python_loops
    if BUILT is None:
        pytest.skip("chaos_hooks._loops is not built: no C compiler or no headers of Python, or switched off")
    return BUILT


class Stage:
    """Loops over some socket pairs, with an owner that writes down what is left to it."""

    def __init__(self, module: ModuleType, lines: int = 1, *, max_idle: int = 99, waits: int = 0) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.over: list[tuple[Any, Exchange]] = []
        self.ticks = iter(float(tick) for tick in range(10_000))
        self.poll = select.epoll()
        self.pool = SimpleNamespace(open={}, idle=[], max_idle=max_idle)
        self.waiting: OrderedDict[Any, None] = OrderedDict()
        self.busy: OrderedDict[Any, None] = OrderedDict()
        self.peers: list[socket.socket] = []
        self.module = module
        line_type = type("Line", (module.Carrier,), {"__slots__": ("recv", "send", "sock")})
        for _ in range(lines):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            line = line_type()
            line.sock, line.send, line.recv, line.fd = ours, ours.send, ours.recv, ours.fileno()
            line.shot = line.left = line.sent_s = line.response = None
            line.expects, line.fresh, line.took, line.error = False, True, False, ""
            self.pool.open[line.fd] = line
            self.pool.idle.append(line)
            self.peers.append(theirs)
            self.poll.register(line.fd, select.EPOLLIN)
        self.loops = module.Loops(
            self.poll, lambda: next(self.ticks), self.pool, self.waiting, self.busy, KNOWN, Exchange
        )
        self.on = True

    def launch(self, *tags: str) -> None:
        self.loops.launch(self, [tag.encode() for tag in tags], tags, self.over.append, 0.5)

    def answer(self, data: bytes, peer: int = 0) -> None:
        self.peers[peer].sendall(data)
        self.loops.events(self)

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        for line in [*self.pool.open.values()]:
            line.sock.close()
        self.poll.close()

    # The owner:

    def send_rest(self, line: Any, shot: Any, taken: int) -> bool:
        self.calls.append(("send_rest", shot.tag, taken))
        if not self.on:
            line.shot = shot.line = None
        return self.on

    def look(self, fd: int) -> None:
        self.calls.append(("look", fd))

    def odd(self, line: Any, event: int) -> None:
        self.calls.append(("odd", line.fd, event))

    def take(self, line: Any, data: bytes) -> None:
        self.calls.append(("take", data))

    def failed(self, line: Any, problem: OSError) -> None:
        self.calls.append(("failed", type(problem).__name__))

    def keep(self, line: Any) -> None:
        if len(self.pool.idle) < self.pool.max_idle:
            self.pool.idle.append(line)
        else:
            self.calls.append(("drop", line.fd))


@pytest.fixture
def stages(module: ModuleType) -> Iterator[Any]:
    made: list[Stage] = []

    def make(*arguments: Any, **options: Any) -> Stage:
        made.append(Stage(module, *arguments, **options))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


def test_a_request_its_answer_and_the_next_on_the_same_connection(stages: Any) -> None:
    """An exchange has the times of the clock's readings: one at the send, one a turn at the answers."""
    stage = stages()
    stage.launch("a")
    (line,) = stage.busy
    shot = line.shot
    assert (line.expects, line.since_s, line.sent_s, shot.line, shot.since_s) == (True, 0.0, 0.0, line, 0.5)
    assert (stage.peers[0].recv(99), stage.pool.idle, dict(stage.waiting)) == (b"a", [], {})
    stage.answer(CREATED + b"{}")
    assert stage.over == [("a", Exchange("done", 0.0, 1.0, 201, b"{}", "", True))]
    assert type(stage.over[0][1]) is Exchange
    assert (line.shot, line.expects, line.fresh, stage.pool.idle, dict(stage.busy)) == (
        None,
        False,
        False,
        [line],
        {},
    )
    stage.launch("b")
    stage.answer(BUSY)
    assert stage.over[1] == ("b", Exchange("done", 2.0, 3.0, 503, b"", "", True))
    assert (stage.loops.looked_s, stage.calls) == (3.0, [])


def test_what_finds_no_connection_waits_and_goes_first(stages: Any) -> None:
    stage = stages(2)
    stage.launch("a", "b", "c", "d")
    stage.launch("e")
    assert [shot.tag for shot in stage.waiting] == ["c", "d", "e"]
    assert [peer.recv(99) for peer in stage.peers] == [b"b", b"a"]  # The last used is used first.
    stage.answer(CREATED + b"{}", 1)
    assert ([tag for tag, _ in stage.over], stage.peers[1].recv(99)) == (["a"], b"c")
    stage.on = False
    stage.peers[0].sendall(CREATED + b"{}")
    line = next(line for line in stage.busy if line.shot.tag == "b")
    line.sock.shutdown(socket.SHUT_WR)
    stage.loops.events(stage)  # The next on that connection takes nothing: it waits on, as the first.
    assert [shot.tag for shot in stage.waiting] == ["d", "e"]
    assert stage.calls == [("send_rest", "d", 0)]


def test_no_more_are_kept_than_may_be(stages: Any) -> None:
    stage = stages(1, max_idle=0)
    stage.launch("a")
    stage.answer(CREATED + b"{}")
    (fd,) = stage.pool.open
    assert (stage.calls, stage.pool.idle, len(stage.over)) == ([("drop", fd)], [], 1)


OTHERS = [
    CREATED + b"{",
    CREATED + b"{}x",
    CREATED,
    CREATED[:-2],
    b"X" + CREATED + b"{}",
    b"\r\n\r\n",
    b"x" * 8192,
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
]


@pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
def test_what_is_not_one_whole_known_answer_is_left_to_who_parses(stages: Any, other: bytes) -> None:
    """Also when the known header block was the last one seen."""
    stage = stages(3)
    stage.launch("a", "b", "c")
    stage.answer(CREATED + b"{}", 2)
    stage.answer(other, 1)
    assert stage.calls == [("take", other)]
    stage.answer(CREATED + b"[]", 0)
    assert [(tag, exchange.body) for tag, exchange in stage.over] == [("a", b"{}"), ("c", b"[]")]


def test_ends_errors_and_strangers_are_left_to_the_owner(stages: Any) -> None:
    """In the order in which the kernel told of them; and what comes while nothing is asked."""
    stage = stages(2)
    stage.launch("a")
    stage.peers[1].recv(99)
    stage.peers[1].close()
    stage.loops.events(stage)
    (line,) = stage.busy
    assert stage.calls == [("odd", line.fd, select.EPOLLIN | select.EPOLLHUP)]
    stage.calls.clear()
    stage.answer(b"unasked")
    assert [call[::2] for call in stage.calls if call[1] != line.fd] == [("odd", select.EPOLLIN)]
    stranger, peer = socket.socketpair()
    stage.poll.register(stranger.fileno(), select.EPOLLOUT)
    stage.calls.clear()
    stage.loops.events(stage)
    assert ("look", stranger.fileno()) in stage.calls
    stranger.close()
    peer.close()


def test_an_error_instead_of_an_answer_is_left_to_the_owner(stages: Any) -> None:
    """Here of a descriptor that is no socket, and says that there is something to read."""
    stage = stages()
    stage.launch("a")
    (line,) = stage.busy
    reads, writes = os.pipe()
    os.write(writes, b"x")

    def refuse(_: int) -> bytes:
        raise OSError("not a socket")

    line.fd, line.recv = reads, refuse
    stage.pool.open[reads] = line
    stage.poll.register(reads, select.EPOLLIN)
    stage.loops.events(stage)
    assert stage.calls == [("failed", "OSError")]
    os.close(reads)
    os.close(writes)


def test_nothing_to_read_after_all_is_told_as_what_it_is(stages: Any) -> None:
    """The owner goes on after a BlockingIOError: the kernel may tell of data that it then drops."""
    stage = stages(2)
    stage.launch("a", "b")
    first, second = stage.busy
    stage.pool.open[second.fd] = first
    stage.answer(CREATED + b"{}", list(stage.pool.open).index(second.fd))
    assert stage.calls == [("failed", "BlockingIOError")]
    second.sock.close()


def test_a_request_that_is_not_taken_whole_is_left_to_the_owner(stages: Any) -> None:
    stage = stages()
    size = 64 * 1024 * 1024
    stage.loops.launch(stage, [bytes(size)], ["large"], stage.over.append, 0.0)
    ((_, tag, taken),) = stage.calls
    assert (tag, 0 < taken < size, dict(stage.busy)) == ("large", True, {})


@settings(deadline=None)
@given(st.lists(st.sampled_from(["launch", "answer", "busy", "part"]), max_size=40))
def test_both_do_the_same(steps: list[str]) -> None:
    """Whatever is done to them: the same is over, waits, is idle, and is left to the owner, in one order."""
    if BUILT is None:
        pytest.skip("chaos_hooks._loops is not built")

    def played(module: ModuleType) -> list[object]:
        stage = Stage(module, 2)
        places = list(stage.pool.open)
        for number, step in enumerate(steps):
            if step == "launch":
                stage.launch(f"{number}", f"{number}+")
            elif stage.busy:
                line = next(iter(stage.busy))
                data = {"answer": CREATED + b"{}", "busy": BUSY, "part": CREATED}[step]
                stage.answer(data, places.index(line.fd))
        said: list[object] = [stage.over, stage.calls, [shot.tag for shot in stage.waiting]]
        said += [[line.shot.tag for line in stage.busy], len(stage.pool.idle), stage.loops.looked_s]
        stage.close()
        return said

    assert played(BUILT) == played(python_loops)


@pytest.mark.skipif(BUILT is None, reason="chaos_hooks._loops is not built")
def test_the_compiled_refuse_what_they_cannot_use_and_keep_nothing() -> None:
    """A wrong argument is a TypeError; after thousands of exchanges no request, tag or callback is kept."""
    assert BUILT is not None
    stage = Stage(BUILT, 2)
    for wrong in (["text"], [None]):
        with pytest.raises(TypeError):
            stage.loops.launch(stage, wrong, ["tag"], stage.over.append, 0.0)
    with pytest.raises(ValueError, match="as many tags"):
        stage.loops.launch(stage, [b"x"], [], stage.over.append, 0.0)
    for call, arguments in (
        (stage.loops.launch, (1, 2)),
        (stage.loops.use, (stage, 1)),
        (BUILT.Loops, (1, 2)),
    ):
        with pytest.raises(TypeError):
            call(*arguments)
    with pytest.raises(TypeError):
        BUILT.Loops(stage.poll, stage, stage.pool, {}, {}, {}, Exchange)
    request, tag, done = bytes(b"a" * 99), object(), lambda pair: None
    before = [sys.getrefcount(each) for each in (request, tag, done)]
    for _ in range(3000):
        stage.loops.launch(stage, [request] * 2, [tag] * 2, done, 0.0)
        for peer in stage.peers:
            peer.recv(99)
            peer.sendall(CREATED + b"{}")
        stage.loops.events(stage)
    assert (stage.calls, len(stage.pool.idle)) == ([], 2)
    stage.close()
    del stage
    gc.collect()
    assert [sys.getrefcount(each) for each in (request, tag, done)] == before


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 9), min_size=1, max_size=2),
            st.sampled_from(["done", "answer"]),
            st.sampled_from([201, 503, None]),
            st.sampled_from([b"{}", b"", b"[]"]),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_both_find_the_same_answers_known(over: list[Any]) -> None:
    """All are known, or none is told: a POST of several alerts, a cut answer or a new one is not for here."""
    if BUILT is None:
        pytest.skip("chaos_hooks._loops is not built")
    known = {(201, b"{}"): ("said", 7), (503, b""): ("refused", 8)}
    batches = [[(number, "subject") for number in numbers] for numbers, *_ in over]
    exchanges = [
        Exchange(reached, float(place), place + 0.5, status, body, "", framed)
        for place, (_, reached, status, body, framed) in enumerate(over)
    ]
    expected = python_loops.settled(batches, exchanges, known)
    assert BUILT.settled(batches, exchanges, known) == expected
    plain = [
        (len(batch), each.reached, each.framed) == (1, "done", True)
        for batch, each in zip(batches, exchanges, strict=True)
    ]
    whole = all(plain) and all((each.status, each.body) in known for each in exchanges)
    assert (expected is not None) == whole
    if expected:
        assert expected[0] == [batch[0][0] for batch in batches]


def test_without_the_compiled_all_is_done_in_python() -> None:
    """The switch turns it off; the transport's own tests pass without it, too."""
    told = "from chaos_hooks import loops; print(loops.COMPILED, loops.Loops.__module__)"
    environment = {**os.environ, compiled.SWITCH: "0"}
    ran = [sys.executable, "-c", told]
    checkout = Path(__file__).parent.parent
    out = subprocess.run(
        ran, env=environment, cwd=checkout, capture_output=True, text=True, check=True
    ).stdout
    assert out == "False chaos_hooks.python_loops\n"
    tests = ["tests/test_wire.py", "tests/test_sender.py", "tests/test_emitter.py"]
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(run, env=environment, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_module_of_another_version_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that is older than its source, not there, or broken."""
    (tmp_path / "twin_of_yesterday.py").write_text("API = 1\n")
    (tmp_path / "twin_that_is_older.py").write_text("API = 1\n")
    source = tmp_path / "twin_that_is_older.c"
    source.touch()
    (tmp_path / "twin_that_is_broken.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    monkeypatch.setattr(compiled, "_taken", set())
    assert compiled.load("twin_of_yesterday", 2) is None
    os.utime(source, (4e9, 4e9))
    assert compiled.load("twin_that_is_older", 1) is None
    os.utime(source, (1e9, 1e9))
    assert compiled.load("twin_that_is_older", 1) is not None
    assert compiled.load("twin_that_is_broken", 1) is None
    assert compiled.load("no_such_twin", 1) is None
    assert compiled.taken() == "twin_that_is_older"
    assert compiled.load("twin_of_yesterday", 1) is not None
    assert compiled.taken() == "twin_of_yesterday, twin_that_is_older"
    monkeypatch.setenv(compiled.SWITCH, "0")
    assert compiled.load("twin_of_yesterday", 1) is None


def test_both_sources_speak_of_the_same_version() -> None:
    source = Path(loops.__file__).with_name("_loops.c").read_text()
    assert f"#define API {loops.API} " in source


def test_the_loops_that_run_are_the_compiled_if_there_are() -> None:
    assert (loops.Loops is getattr(BUILT, "Loops", python_loops.Loops), loops.COMPILED) == (
        True,
        BUILT is not None,
    )
