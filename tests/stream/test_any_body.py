import base64

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stream.conftest import WRITE_KEY

TEXT = st.text(max_size=8)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(
        ["header", "body", "xdmEntity", "_id", "timestamp", "messages", "batch", "type", "userId", "traits", "context",
         "imsOrgId", "msgId", "identityMap", "ECID", "b2b", "personKey", "_problem", "properties", "messageId", "accountKey"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
ADDRESSES = st.sampled_from(
    ["/collection/web", "/collection/web?syncValidation=true", "/collection/batch/web", "/v1/batch", "/v1/track",
     "/v1/identify", "/v1/alias", "/hooks/hook", "/collection/none", "/v1/none"]
)  # fmt: skip
AUTH = {"Authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()}
ENVELOPE = st.builds(lambda header, entity: {"header": header, "body": {"xdmEntity": entity}}, ANY, ANY)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(address=ADDRESSES, body=ANY | ENVELOPE | ANY.map(lambda call: {"batch": [call]}))
def test_no_body_makes_the_endpoint_fail(client, address, body):
    told = client.post(address, json=body, headers=AUTH)

    assert told.status_code < 500
    assert told.headers["content-type"] == "application/json"
