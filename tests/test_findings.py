"""What a look at a connection tells."""

from cdp_toolkit.errors import ConnectorStopped
from cdp_toolkit.findings import Finding, look_at


class Healthy:
    def check(self):
        return [Finding("login"), Finding("API calls left today", "12 of 50,000", "warning", "Wait until midnight.")]


class Locked:
    def check(self):
        raise ConnectorStopped("The login was refused.", hint="Ask for a new password.")


def test_a_connection_says_itself_what_it_found():
    assert [each.status for each in look_at(Healthy())] == ["ok", "warning"]


def test_an_error_while_looking_is_a_problem_with_what_to_do():
    assert look_at(Locked()) == [Finding("connection", "The login was refused.", "problem", "Ask for a new password.")]


def test_a_connector_that_looks_at_nothing_is_fine_once_its_settings_are():
    assert look_at(object()) == [Finding("settings")]
