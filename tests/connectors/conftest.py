"""Organisations of vendors, served on loopback, and workspaces that read them."""

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import cdp_toolkit as cdp
from cdp_toolkit.connectors.dynamics.source import DynamicsSource
from cdp_toolkit.connectors.hubspot.source import HubSpotSource
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.salesforce.source import SalesforceSource
from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake
from tests.stand_ins.dynamics import Dynamics
from tests.stand_ins.hubspot import HubSpot
from tests.stand_ins.salesforce import Salesforce
from tests.stand_ins.salesforce_objects import define_standard
from tests.stand_ins.serve import serving

QUICK = Patience(attempts=4, first_s=0.001, most_s=0.002, longest_wait_s=0.5)


@pytest.fixture(scope="session")
def key_pair():
    """Make a private key, as PEM, and its public one."""
    key = rsa.generate_private_key(65_537, 2_048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode(), key.public_key()


@pytest.fixture
def salesforce(key_pair, monkeypatch):
    """Serve an organisation with the standard objects and no records at its ``url``."""
    monkeypatch.setenv("SF_KEY", key_pair[0])
    monkeypatch.setattr(SalesforceSource, "patience", QUICK)
    monkeypatch.setattr(SalesforceSource, "poll_s", 0.001)
    org = Salesforce(public_key=key_pair[1])
    define_standard(org)
    with serving(org.app()) as org.url:
        yield org


@pytest.fixture
def hubspot(monkeypatch):
    """Serve an empty account at its ``url``."""
    account = HubSpot()
    monkeypatch.setenv("HUBSPOT_TOKEN", account.token)
    monkeypatch.setattr(HubSpotSource, "patience", QUICK)
    with serving(account.app) as account.url:
        yield account


@pytest.fixture
def dynamics(monkeypatch):
    """Serve an empty environment, and the login to it, at its ``url``."""
    environment = Dynamics()
    monkeypatch.setenv("DYNAMICS_SECRET", environment.secret)
    monkeypatch.setattr(DynamicsSource, "patience", QUICK)
    with serving(environment.app) as environment.url:
        yield environment


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", engine=open_engine())


@pytest.fixture
def table(lake):
    """Return what has landed of an object of the source ``crm``, in the order in which it did."""
    return lambda name: lake.scan(f"landing/crm/{name}").to_native().collect().sort("_batch", "_line")


@pytest.fixture
def workspace_of(tmp_path):
    """Make a workspace of sources, anew each time it is opened, as each command does."""

    def make(**sources):
        (tmp_path / "cdp.yaml").write_text(yaml.safe_dump({"name": "acme", "sources": sources}), "utf-8")
        return cdp.Workspace(tmp_path)

    return make
