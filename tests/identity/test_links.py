"""Records that share an identity are linked, and what may not link is kept with its reason."""

import pytest

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.links import link_records


@pytest.fixture
def linked(engine, frame):
    """Link ``(record, namespace, value)``, where two values that are equal up to ``~`` have one key."""

    def link(*carried, **rules):
        spoken = sorted({(namespace, value.partition("~")[0]) for _, namespace, value in carried})
        identities = frame(
            {
                "source_key": [f"{record}@x" for record, _, _ in carried],
                "record_key": [record for record, _, _ in carried],
                "namespace": [namespace for _, namespace, _ in carried],
                "value": [value for _, _, value in carried],
                "value_key": [spoken.index((name, value.partition("~")[0])) for _, name, value in carried],
            }
        )
        return link_records(identities, IdentityRules(**rules), engine)

    return link


def test_records_with_the_same_identity_are_linked_as_a_star_around_the_first(linked, rows):
    links = linked((3, "email", "a@x"), (1, "email", "a@x"), (2, "email", "a@x"))

    assert rows(links.kept, "record_key", "hub_key", "namespace") == [(2, 1, "email"), (3, 1, "email")]
    assert rows(links.refused, "source_key") == []


def test_an_identity_of_one_record_links_nobody(linked, rows):
    links = linked((1, "email", "a@x"), (2, "email", "b@x"), (2, "ecid", "a@x"))

    assert rows(links.kept, "record_key") == rows(links.refused, "source_key") == []


def test_a_shared_mailbox_links_nobody_and_is_kept_with_its_reason(linked, rows):
    links = linked(*((record, "email", "jo@x") for record in range(3)), max_records=2)

    assert rows(links.kept, "record_key") == []
    assert rows(links.refused, "source_key", "value", "reason") == [
        (f"{record}@x", "jo@x", "on more than 2 records") for record in range(3)
    ]


def test_a_record_key_links_however_many_records_point_at_it(linked, rows):
    links = linked(*((record, "person_key", "1@x") for record in range(4)), max_records=2)

    assert len(rows(links.kept, "record_key")) == 3


def test_a_namespace_has_a_limit_of_its_own(linked, rows):
    carried = [(record, name, "1") for record in range(3) for name in ("ecid", "email")]

    links = linked(*carried, namespaces={"ecid": {"max_records": 2}})

    assert {*rows(links.kept, "namespace")} == {"email"}
    assert {*rows(links.refused, "namespace", "reason")} == {("ecid", "on more than 2 records")}


def test_a_namespace_may_have_a_higher_limit_than_all_others(linked, rows):
    carried = [(record, name, "1") for record in range(3) for name in ("ecid", "email")]

    links = linked(*carried, max_records=2, namespaces={"ecid": {"max_records": 3}})

    assert {*rows(links.kept, "namespace")} == {"ecid"}


def test_a_value_on_several_records_of_one_source_can_be_ambiguous(linked, rows):
    rules = {"namespaces": {"name_domain": {"max_records_per_instance": 1}}}

    links = linked((1, "name_domain", "acme x"), (2, "name_domain", "acme x"), **rules)

    assert rows(links.kept, "record_key") == []
    assert {*rows(links.refused, "reason")} == {"ambiguous: on more than 1 records of one source"}


def test_a_namespace_that_does_not_link_is_not_refused_either(linked, rows):
    links = linked((1, "name", "ana lima"), (2, "name", "ana lima"))

    assert rows(links.kept, "record_key") == rows(links.refused, "source_key") == []


def test_two_values_with_one_key_link_nobody_and_say_so(linked, rows):
    links = linked((1, "email", "a@x"), (2, "email", "a@x~other"), (3, "email", "a@x"), (4, "email", "b@x"))

    assert rows(links.kept, "record_key") == []
    assert rows(links.refused, "source_key", "value", "reason") == [
        (f"{record}@x", value, "two values have the same key")
        for record, value in ((1, "a@x"), (2, "a@x~other"), (3, "a@x"))
    ]


def test_a_value_on_five_thousand_records_links_nobody_and_takes_no_one_else_along(linked, rows):
    shared = [(record, "email", "all@x") for record in range(5_000)]

    links = linked(*shared, (1, "ecid", "7"), (2, "ecid", "7"))

    assert rows(links.kept, "record_key", "hub_key") == [(2, 1)]
    assert len(rows(links.refused, "record_key")) == 5_000
