"""How the fakes fail: before what was asked for is done, after it, or never."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests

from tests.fakes.server import FakeServer, Fault


class Counter(FakeServer):
    """A server that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.app.add_url_rule("/", view_func=self._add, methods=["POST"])

    def _add(self) -> str:
        self.count += 1
        return str(self.count)


@pytest.fixture
def server() -> Iterator[Counter]:
    with Counter() as fake:
        yield fake


@pytest.mark.parametrize(("how", "count"), [("cut", 0), ("lost", 1)])
def test_an_answer_that_is_lost_is_one_of_something_done(server: Counter, how: str, count: int) -> None:
    server.faults.append(Fault("POST", "/", cut=how == "cut", lost=how == "lost"))
    with pytest.raises(requests.ConnectionError):
        requests.post(server.url, timeout=10)
    assert server.count == count
    assert requests.post(server.url, timeout=10).text == str(count + 1)


def test_a_silent_server_takes_a_request_and_says_nothing_until_it_ends() -> None:
    said: list[str] = []

    def ask(url: str) -> None:
        try:
            requests.post(url, timeout=60)
        except requests.ConnectionError:
            said.append("nothing")

    with Counter() as server:
        server.faults.append(Fault("POST", "/", silent=True))
        asking = threading.Thread(target=ask, args=(server.url,))
        asking.start()
        while not server.requests:
            pass
        assert asking.is_alive()
    asking.join(30)
    assert (said, server.count) == (["nothing"], 0)
