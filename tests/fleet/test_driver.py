"""Items on workers that are honest, slow, lying, hanging or killed: every one is done exactly once, or listed."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from cotj.fleet.driver import NobodyThere
from cotj.fleet.record import FAILURES
from cotj.harness.server import free_port
from cotj.tests.fleet.runs import asked, check_result, collect, driver
from cotj.tests.fleet.servers import Fake

pytestmark = pytest.mark.usefixtures("local_ray")


def prompts(count: int) -> list[str]:
    return [f"prompt {number}" for number in range(count)]


def done_by(record) -> Counter:
    with record.look() as database:
        return Counter(worker for (worker,) in database.execute("SELECT worker FROM fleet_items WHERE state = 'done'"))


def test_nothing_listens_beyond_this_machine():
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it may end meanwhile
            name = process.name()
            found = process.net_connections()
            listening += [(name, one.laddr.ip) for one in found if one.status == psutil.CONN_LISTEN]
    assert any("raylet" in name for name, _ in listening)
    assert {ip.removeprefix("::ffff:") for _, ip in listening} == {"127.0.0.1"}, listening


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_share_the_items_and_are_never_given_more_than_two(tmp_path: Path, fakes, workers):
    servers = fakes.add(workers, seconds=1)
    record = asked(tmp_path, prompts(10 * workers))
    seconds = collect(record, [server.url for server in servers])
    check_result(record, prompts(10 * workers))
    told = [server.told() for server in servers]
    assert [one["longest queue"] for one in told] == [2] * workers
    assert sum(one["asked"] for one in told) == 10 * workers
    assert all(one["most kept"] <= 2 for one in told), "the servers' histories grow"
    assert record.counts().calls == 10 * workers * 30
    share = 10 / seconds  # each takes a second for an item
    print(f"{workers} workers: {share:.2f} of the sum of their rates")
    assert share > 0.6


def test_an_item_that_fails_is_listed_with_its_error_and_the_rest_ends(tmp_path: Path, fakes):
    servers = fakes.add(2)
    bad = [f"{kind} {number}" for kind in ("broken", "refused") for number in range(3)]
    record = asked(tmp_path, [*bad, *prompts(20)])
    collect(record, [server.url for server in servers])
    check_result(record, prompts(20))
    given_up = {spec["prompt"]: error for spec, error in record.given_up()}
    assert given_up.keys() == set(bad)
    assert all(("it is " + prompt.split()[0]) in error for prompt, error in given_up.items())
    broken = sum(server.told()["asked"] for server in servers) - 20
    assert broken == 3 * FAILURES  # refused ones do not even get into a queue
    assert record.try_again() == 6


def test_what_lying_workers_say_is_not_taken(tmp_path: Path, fakes):
    lies = ("another seed", "another checkpoint", "noise", "nothing")
    liars = [Fake({"lie": lie}) for lie in lies]
    for liar in liars:
        fakes.callback(liar.kill)
    [honest] = fakes.add(seconds=0.1)
    record = asked(tmp_path, prompts(3))
    collect(record, [honest.url])  # from the first answer on it is known which checkpoint is the right one
    asked(tmp_path, prompts(40))
    collect(record, [*(liar.url for liar in liars), honest.url])
    check_result(record, prompts(40))
    assert all(liar.told()["asked"] > 0 for liar in liars)
    assert set(done_by(record)) == {honest.url}


def test_a_slow_worker_keeps_nobody(tmp_path: Path, fakes):
    [slow], [quick] = fakes.add(seconds=3), fakes.add(seconds=0.1)
    record = asked(tmp_path, prompts(30))
    seconds = collect(record, [slow.url, quick.url])
    check_result(record, prompts(30))
    assert done_by(record)[quick.url] > 20
    assert seconds < 45  # the slow one alone would need 90


def test_an_item_goes_to_another_worker_when_its_own_hangs(tmp_path: Path, fakes):
    [hanging], [other] = fakes.add(hangs=True), fakes.add(seconds=0.2)
    record = asked(tmp_path, prompts(20))
    collect(record, [hanging.url, other.url], silence=2)
    check_result(record, prompts(20))
    assert hanging.told()["asked"] > 0


def test_an_interrupted_item_is_done_again(tmp_path: Path, fakes):
    [server] = fakes.add(seconds=0.5)
    record = asked(tmp_path, prompts(6))

    def interrupt() -> None:
        while server.told()["asked"] < 3:
            time.sleep(0.05)
        urllib.request.urlopen(urllib.request.Request(f"{server.url}/interrupt", b"{}"), timeout=10).close()

    thread = threading.Thread(target=interrupt)
    thread.start()
    collect(record, [server.url])
    thread.join()
    check_result(record, prompts(6))
    assert server.told()["asked"] == 7


def test_a_thousand_cheap_items(tmp_path: Path, fakes):
    servers = fakes.add(4)
    record = asked(tmp_path, prompts(1000))
    process = psutil.Process()
    memory = []
    with driver(record, [server.url for server in servers]) as running:
        keep = running._take
        running._take = lambda *turn: (keep(*turn), memory.append(process.memory_info().rss))
        began = time.monotonic()
        running.run()
        print(f"1,000 items in {time.monotonic() - began:.1f} s")
    check_result(record, prompts(1000))
    assert memory[-1] - memory[200] < 20 << 20, "the driver grows with the items"


def test_servers_that_are_not_there_are_waited_for_and_then_named(tmp_path: Path):
    record = asked(tmp_path, prompts(2))
    url = f"http://127.0.0.1:{free_port()}"
    with driver(record, [url]) as running, pytest.raises(NobodyThere, match=url):
        running.give_up_after = 2
        running.run()
    assert record.counts().open == 2
