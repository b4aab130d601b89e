"""Where GitHub's REST API is, what is asked of it again, and what its answers mean.

`GITHUB_API_URL` names another address, as it does in GitHub Actions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import requests
from github import GithubException, RateLimitExceededException
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from constructs_lib.base.errors import ConfigError

API = "https://api.github.com"

LIMITED = "takes no more requests of this token for now; run this again later"

Made = TypeVar("Made")


def api_url() -> str:
    """Return the address of the REST API."""
    return os.environ.get("GITHUB_API_URL", API).rstrip("/")


def provider_variables() -> dict[str, str]:
    """Return what tells the GitHub provider of OpenTofu of another address; it adds `/api/v3` itself."""
    return {} if api_url() == API else {"GITHUB_BASE_URL": f"{api_url().removesuffix('/api/v3')}/"}


def ensured(look: Callable[[], Made | None], make: Callable[[], Made]) -> tuple[Made, bool]:
    """Return what `look` finds or else `make` makes, and whether that was needed.

    Where GitHub does not say whether something was made, it is looked for again before it is made again.
    """
    asked = False
    retrying = Retrying(
        retry=retry_if_exception(_is_unsure), stop=stop_after_attempt(3), wait=wait_exponential(), reraise=True
    )
    for attempt in retrying:
        with attempt:
            found = look()
            if found is None:
                asked = True
                found = make()
            return found, asked
    raise AssertionError("an attempt returns or raises")


def _is_unsure(error: BaseException) -> bool:
    """Say whether an error leaves open what was done, or may pass."""
    if isinstance(error, GithubException):
        return error.status == 429 or error.status >= 500
    return isinstance(error, requests.RequestException)


@contextmanager
def explained(what: str, advice: str) -> Generator[None]:
    """Turn what GitHub answers into a sentence."""
    try:
        yield
    except GithubException as error:
        raise ConfigError(_sentence(error, what, advice)) from None
    except requests.exceptions.RetryError:
        raise ConfigError(f"GitHub at {api_url()} goes on failing, or {LIMITED}") from None
    except requests.RequestException:
        raise ConfigError(f"GitHub at {api_url()} gives no answer; run this again later") from None


def _sentence(error: GithubException, what: str, advice: str) -> str:
    if isinstance(error, RateLimitExceededException):
        return f"GitHub at {api_url()} {LIMITED}"
    match error.status:
        case 401:
            return f"GitHub at {api_url()} refuses the token; correct github_token in Vault"
        case 404:
            return f"GitHub knows no {what}, or the token may not see it; {advice}"
        case 403:
            return f"GitHub refuses {what} ({_message(error)}); {advice}"
        case _:
            return f"GitHub answers {error.status} to {what}: {_message(error)}; run this again"


def _message(error: GithubException) -> str:
    data: Any = error.data
    return str(data.get("message", "")) if isinstance(data, dict) else str(data)
