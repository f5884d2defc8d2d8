"""Errors: what the API refuses, with the status and the sentence that Toxiproxy 2.12.0 gives."""


class ApiError(Exception):
    """A refusal; status is that of the HTTP answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_body(reason: str) -> ApiError:
    """A body that is no JSON, or not of the shape that is asked for."""
    return ApiError(400, f"bad request body: {reason}")


def missing(field: str) -> ApiError:
    """A proxy without a name or an upstream."""
    return ApiError(400, f"missing required field: {field}")


def proxy_not_found() -> ApiError:
    """No proxy has this name."""
    return ApiError(404, "proxy not found")


def proxy_exists() -> ApiError:
    """The name is taken."""
    return ApiError(409, "proxy already exists")


def toxic_not_found() -> ApiError:
    """The proxy has no toxic of this name."""
    return ApiError(404, "toxic not found")


def toxic_exists() -> ApiError:
    """Toxics' names are unique over both streams of a proxy."""
    return ApiError(409, "toxic already exists")


def invalid_toxic_type() -> ApiError:
    """No such kind of toxic."""
    return ApiError(400, "invalid toxic type")


def invalid_stream() -> ApiError:
    """Neither upstream nor downstream, in whatever case."""
    return ApiError(400, "stream was invalid, can be either upstream or downstream")
