"""What is known of requests is bounded, by the order of the log alone."""

from __future__ import annotations

from wire.raft.replica.requests import MAX_RESULT_BYTES, Requests


def known(requests: Requests, names: str) -> str:
    return "".join(name for name in names if requests.result(name.encode()) is not None)


def test_of_too_many_the_oldest_are_forgotten() -> None:
    requests = Requests(2, 1000)
    for name in "abc":
        requests.add(name.encode(), b"result")
    assert known(requests, "abc") == "bc"


def test_of_too_large_ones_the_oldest_are_forgotten_and_the_newest_never() -> None:
    requests = Requests(10, 10)
    for name, size in (("a", 4), ("b", 4), ("c", 5), ("d", 50)):
        requests.add(name.encode(), bytes(size))
        assert known(requests, name) == name
    assert known(requests, "abcd") == "d"
    requests.add(b"e", b"")
    assert known(requests, "de") == "e"


def test_what_is_forgotten_is_the_same_after_a_snapshot() -> None:
    requests, again = Requests(2, 1000), Requests(2, 1000)
    requests.add(b"a", b"1")
    requests.add(b"b", b"2")
    again.restore(requests.snapshot())
    for each in (requests, again):
        each.add(b"c", b"3")
        assert known(each, "abc") == "bc"


def test_long_results_fit_into_a_snapshot() -> None:
    requests = Requests(100_000, 1 << 30)
    for n in range(3000):
        requests.add(b"%d" % n, b"x" * 5000)
    requests.add(b"huge", b"x" * (MAX_RESULT_BYTES + 1))
    chunks = list(requests.snapshot())
    assert max(map(len, chunks)) < 2 << 20
    again = Requests(100_000, 1 << 30)
    again.restore(iter(chunks))
    assert again.result(b"2999") == b"x" * 5000
    assert again.result(b"huge") is None


def test_what_is_known_is_captured_as_of_now_and_encoded_later() -> None:
    requests, again = Requests(10, 1000), Requests(10, 1000)
    requests.add(b"before", b"1")
    captured = requests.snapshot()
    requests.add(b"after", b"2")
    again.restore(captured)
    assert (again.result(b"before"), again.result(b"after")) == (b"1", None)
