"""Secrets by reference: what is kept and shown of them, and what is said when one is missing."""

import logging
import traceback

import keyring
import pytest
from keyring.backend import KeyringBackend
from pydantic import BaseModel, ConfigDict

from cdp_toolkit.destinations.definition import Destination, read_settings
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.secrets import Address, Options, Secret, redact, reveal, reveal_address, reveal_all


class Login(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    password: Secret


class Memory(KeyringBackend):
    """A keyring as an operating system has one."""

    priority = 1

    def get_password(self, service, username):
        return {("crm", "reader"): "from the keyring"}.get((service, username))

    def set_password(self, service, username, password): ...

    def delete_password(self, service, username): ...


class PlaintextKeyring(Memory):
    """A keyring that is a file which everybody can read."""


@pytest.fixture
def use_keyring():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_reference_is_revealed_in_any_place_of_a_text(monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "correct horse")

    told = reveal_all({"uri": "postgresql://me:${env:PG_PASSWORD}@db", "options": {"port": 5432}, "hosts": ["a"]})

    assert told == {"uri": "postgresql://me:correct horse@db", "options": {"port": 5432}, "hosts": ["a"]}


def test_a_secret_within_an_address_is_encoded_and_one_that_is_the_address_is_not(monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "p@ss/word")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@db/crm")

    assert reveal_address("postgresql://me:${env:PG_PASSWORD}@db") == "postgresql://me:p%40ss%2Fword@db"
    assert reveal_address("${env:DATABASE_URL}") == "postgresql://me@db/crm"


def test_a_keyring_is_asked_for_a_service_and_a_user(use_keyring):
    use_keyring(Memory())

    assert reveal("${keyring:crm/reader}") == "from the keyring"


def test_a_setting_that_is_a_secret_holds_the_reference_and_shows_it(monkeypatch):
    monkeypatch.setenv("CRM_PASSWORD", "correct horse")

    login = Login(password="${env:CRM_PASSWORD}")
    reveal(login.password)

    assert repr(login) == "Login(password='${env:CRM_PASSWORD}')"
    assert login.model_dump_json() == '{"password":"${env:CRM_PASSWORD}"}'


def test_a_secret_in_plain_text_is_refused_and_not_repeated():
    destination = Destination(name="out", type="files", audiences=["buyers"], password="hunter22")

    with pytest.raises(ConfigError, match="password") as refused:
        read_settings(destination, Login)

    told = "".join(traceback.format_exception(refused.value))
    assert "${env:NAME}" in told
    assert "hunter22" not in told


class Store(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    address: Address = ""
    options: Options = {}


@pytest.mark.parametrize(
    "settings",
    [
        {"address": "postgresql://me:${env:PG_PASSWORD}@db/crm"},
        {"address": "postgresql://me:${keyring:crm/reader}@db/crm"},
        {"address": "sftp://me@host/a:b@c"},
        {"options": {"key": "AKIA", "secret": "${env:AWS_SECRET}", "client_kwargs": {"region_name": "eu"}}},
    ],
)
def test_an_address_and_options_may_refer_to_secrets(settings):
    assert Store(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"address": "postgresql://me:hunter22@db/crm"},
        {"address": "postgresql://me:hunter22${env:X}@db/crm"},
        {"options": {"secret": "hunter22"}},
        {"options": {"client_kwargs": {"aws_session_token": "hunter22"}}},
    ],
)
def test_an_address_and_options_hold_no_secret_in_plain_text(settings):
    with pytest.raises(ValueError, match=r"is not written here") as refused:
        Store(**settings)

    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("${env:NOT_SET_ANYWHERE}", ConfigError, "export NOT_SET_ANYWHERE"),
        ("${keyring:crm/nobody}", ConfigError, "keyring set crm nobody"),
        ("${keyring:crm}", ConfigError, "${keyring:SERVICE/USER}"),
        ("${enb:NAME}", UnknownNameError, "'env'"),
    ],
)
def test_a_missing_secret_is_named_with_what_to_set(use_keyring, text, kind, told):
    use_keyring(Memory())

    with pytest.raises(kind) as missing:
        reveal(text, where="cdp.yaml, sources.crm")

    assert told in str(missing.value)
    assert "cdp.yaml, sources.crm" in str(missing.value)


def test_a_keyring_that_is_plain_text_is_refused_by_its_name(use_keyring):
    use_keyring(PlaintextKeyring())

    with pytest.raises(ConfigError, match="PlaintextKeyring is no safe place"):
        reveal("${keyring:crm/reader}")


def test_a_safe_keyring_is_used_where_a_plain_one_stands_beside_it(use_keyring):
    class Chainer(Memory):
        backends = (PlaintextKeyring(), Memory())

    use_keyring(Chainer())

    assert reveal("${keyring:crm/reader}") == "from the keyring"


@pytest.mark.parametrize("spelt", ["pass/word 1", "pass%2Fword%201", "pass%2Fword+1"])
def test_what_others_say_of_a_secret_is_redacted(monkeypatch, spelt):
    monkeypatch.setenv("CRM_PASSWORD", "pass/word 1")
    reveal("${env:CRM_PASSWORD}")

    assert redact(f"cannot log in as me:{spelt}") == "cannot log in as me:${env:CRM_PASSWORD}"


def test_a_revealed_secret_does_not_reach_a_log(monkeypatch, caplog):
    monkeypatch.setenv("CRM_PASSWORD", "correct horse")

    logging.getLogger("driver").warning("sent %s", reveal("${env:CRM_PASSWORD}"))

    assert caplog.messages == ["sent ${env:CRM_PASSWORD}"]
