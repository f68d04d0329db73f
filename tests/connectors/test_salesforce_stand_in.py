"""The stand-in is believed by a client that others wrote."""

import datetime as dt

import pytest
from requests import Session
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce as Theirs
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest


class Plain(HTTPAdapter):
    """Speaks HTTP where their client insists on HTTPS."""

    def send(self, request, **options):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


@pytest.fixture
def theirs(salesforce):
    salesforce.tokens["theirs"] = None
    with Session() as session:
        session.mount("https://", Plain())
        yield Theirs(
            instance=salesforce.url.removeprefix("http://"), session_id="theirs", session=session, version="62.0"
        )


def test_their_bulk_query_reads_every_page(salesforce, theirs):
    ids = [salesforce.save("Contact", LastName=f"L{i}") for i in range(7)]

    pages = theirs.bulk2.Contact.query("SELECT Id, LastName FROM Contact", max_records=3)

    lines = [line for page in pages for line in page.splitlines()[1:]]
    assert [line.split(",")[0].strip('"') for line in lines] == ids


def test_their_queries_follow_the_next_page_and_hide_what_is_deleted(salesforce, theirs):
    ids = [salesforce.save("Contact", LastName=f"L{i}") for i in range(2_500)]
    salesforce.delete("Contact", ids[0])

    found = theirs.query_all("SELECT Id FROM Contact")
    everything = theirs.query_all("SELECT Id FROM Contact WHERE IsDeleted = true", include_deleted=True)

    assert [each["Id"] for each in found["records"]] == ids[1:]
    assert [each["Id"] for each in everything["records"]] == ids[:1]


def test_their_describe_deletes_and_limits_are_understood(salesforce, theirs):
    gone = salesforce.save("Contact", LastName="Gone")
    now = dt.datetime.now(dt.UTC)
    salesforce.delete("Contact", gone, now - dt.timedelta(hours=1))

    fields = {each["name"]: each["type"] for each in theirs.Contact.describe()["fields"]}
    told = theirs.Contact.deleted(now - dt.timedelta(days=1), now)

    assert fields["MailingAddress"] == "address"
    assert [each["id"] for each in told["deletedRecords"]] == [gone]
    assert theirs.limits()["DailyApiRequests"]["Max"] == 100_000


def test_their_client_sees_the_errors_of_a_wrong_query_and_of_a_session_that_is_over(salesforce, theirs):
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Colour'"):
        theirs.query("SELECT Colour FROM Contact")

    salesforce.tokens.clear()

    with pytest.raises(SalesforceExpiredSession):
        theirs.limits()
