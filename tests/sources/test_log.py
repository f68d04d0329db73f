import json
from datetime import timedelta

from cdp_toolkit.sources.log import Message, MessageLog


def message(name, *, inlet="web", of="event", at=1_000):
    return Message(inlet, of, name, at, f'{{"_id": "{name}"}}')


def ids(log, *, after=0, most=10, inlet="web", name="event"):
    return [json.loads(body)["_id"] for _, body, _ in log.read(inlet, name, after=after, most=most)]


def test_messages_are_read_in_the_order_of_their_coming_and_by_object(tmp_path):
    log = MessageLog(tmp_path / "stream" / "log.sqlite")
    log.append([message("b"), message("p", of="person"), message("a")])

    first = log.read("web", "event", after=0, most=1)

    assert log.objects("web") == ["event", "person"]
    assert [body for _, body, _ in first] == ['{"_id": "b"}']
    assert ids(log, after=first[0][0]) == ["a"]


def test_a_message_that_is_sent_again_is_taken_once_also_after_it_was_landed(tmp_path):
    log = MessageLog(tmp_path / "log.sqlite")
    log.append([message("a"), message("a"), message("b")])
    last = log.read("web", "event", after=0, most=10)[-1][0]
    log.forget("web", "event", until=last)

    is_new = log.append([message("a"), message("c")])

    assert is_new == 1
    assert ids(log) == ["c"]


def test_numbers_go_on_after_all_messages_are_gone(tmp_path):
    log = MessageLog(tmp_path / "log.sqlite")
    log.append([message("a")])
    (seq, _, _), *_ = log.read("web", "event", after=0, most=10)
    log.forget("web", "event", until=seq)
    log.append([message("b")])

    assert ids(MessageLog(tmp_path / "log.sqlite"), after=seq) == ["b"]


def test_ids_are_forgotten_after_their_time_but_not_while_their_message_waits(tmp_path):
    log = MessageLog(tmp_path / "log.sqlite", remember=timedelta(seconds=1))
    log.append([message("old", at=1_000), message("waits", of="person", at=1_000), message("new", at=9_000)])
    log.forget("web", "event", until=3)

    is_new = log.append([message("old"), message("waits", of="person"), message("new")])

    assert is_new == 1


def test_the_same_id_at_another_inlet_is_another_message(tmp_path):
    log = MessageLog(tmp_path / "log.sqlite")

    assert log.append([message("a"), message("a", inlet="app")]) == 2
    assert log.backlog().messages == 2
