"""How the stand-in of Marketo refuses."""


class MarketoError(Exception):
    """An error of the API, told in the envelope of an HTTP 200."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
