"""A ModelSpec: what is registered under a model's name. It holds placeholders, never a secret.

`${NAME}` stays literal in the registry, in runs and in fingerprints; `resolved` fills it in from an
environment that the caller hands over, at the moment of the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from haetae.core.addresses import url_fault
from haetae.core.canonical import Json
from haetae.core.placeholders import fill, is_placeholder, variables, without_placeholders
from haetae.core.secrets import is_secret_field, looks_secret
from haetae.core.suite import Spec
from haetae.errors import ConfigError, Problem

_LITERAL = "a literal secret is refused; write ${NAME} and set that environment variable"
_SECRET_HEADERS = frozenset({"cookie", "proxy-authorization"})

Dollars = Annotated[float, Field(ge=0, le=1_000_000)]


class PriceSpec(Spec):
    """USD per million tokens. Without `cached_input`, cached tokens cost what input costs."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None


class ModelSpec(Spec):
    """One model behind an endpoint that speaks the OpenAI wire."""

    base_url: str = Field(description="where the endpoint lives, up to /v1")
    model: str = Field(min_length=1, description="the name that the endpoint knows it by")
    likelihood: Literal["echo", "prompt_logprobs"] = Field(
        "echo", description="how /completions tells how probable a text is: OpenAI's way or vLLM's"
    )
    bos: str | None = Field(
        None, min_length=1, description="the token put before such a text, as its tokenizer writes it"
    )
    api_key: str | None = Field(None, description="a placeholder such as ${OPENAI_API_KEY}")
    api_version: str | None = Field(None, description="the api-version of an Azure endpoint")
    organization: str | None = Field(None, description="the organization that is billed")
    headers: dict[str, str] = Field(default_factory=dict, description="further headers; secrets as ${NAME}")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="decoding: temperature, max_tokens, top_p, seed, stop and others"
    )
    price: PriceSpec | None = Field(None, description="USD per million tokens; without it cost is unknown")
    requests_per_minute: Annotated[int, Field(ge=1)] | None = Field(
        None, description="of all suites and workers that ask this endpoint together"
    )
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = Field(
        None, description="of all suites and workers that ask this endpoint together, input and output"
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_endpoint(cls, url: str) -> str:
        # A URL with a placeholder is judged when it is resolved; its visible part may not hold a secret.
        if looks_secret(without_placeholders(url)):
            raise ValueError("the URL holds a literal secret; put it in api_key: ${NAME} or in headers")
        if not variables(url) and (fault := url_fault(url)):
            raise ValueError(fault)
        return url

    @field_validator("api_key")
    @classmethod
    def _is_a_placeholder(cls, key: str | None) -> str | None:
        if key is not None and not is_placeholder(key):
            raise ValueError(_LITERAL)
        return key

    @field_validator("headers")
    @classmethod
    def _hides_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            secret = is_secret_field(name) or name.lower() in _SECRET_HEADERS
            if looks_secret(without_placeholders(value)) or (secret and not variables(value)):
                raise ValueError(f"{name}: {_LITERAL}")
            if not (name.isascii() and name.isprintable()) or any(sign in name + value for sign in "\r\n\0"):
                raise ValueError(f"{name!r}: a header is one line of printable text")
        return headers

    @field_validator("parameters")
    @classmethod
    def _plain_parameters(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for name, value in _leaves(parameters):
            if isinstance(value, str) and (looks_secret(value) or is_secret_field(name)):
                raise ValueError(f"{name}: {_LITERAL.partition(';')[0]}; keys belong in api_key or headers")
            if isinstance(value, float) and not abs(value) < float("inf"):
                raise ValueError(f"{name}: expected a finite number")
        return parameters

    def as_json(self) -> Json:
        """What is registered: only what was said, placeholders kept."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)

    @property
    def fingerprint(self) -> Json:
        """What fixes its answers, placeholders kept; how likelihoods are asked for only where that was said."""
        said = {"base_url": self.base_url, "model": self.model, "parameters": dict(self.parameters)}
        if self.likelihood != "echo":
            said["likelihood"] = self.likelihood
        return said if self.bos is None else {**said, "bos": self.bos}

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that a call needs, each once."""
        texts = (self.base_url, self.api_key or "", self.organization or "", *self.headers.values())
        return tuple(dict.fromkeys(name for text in texts for name in variables(text)))

    def resolved(self, env: Mapping[str, str]) -> ModelSpec:
        """The specification with `${NAME}` filled in, for a transport. Never store or print it.

        Raises ConfigError naming every missing variable, or a URL that may not be called.
        """
        if missing := [name for name in self.variables if not env.get(name)]:
            raise ConfigError(
                [
                    Problem(f"model {self.model!r} needs the environment variable {name}", variable=name)
                    for name in missing
                ]
            )
        url = fill(self.base_url, env)
        if fault := url_fault(url):
            raise ConfigError(Problem(fault, field="base_url"))
        changed = {
            "base_url": url,
            "api_key": None if self.api_key is None else fill(self.api_key, env),
            "organization": None if self.organization is None else fill(self.organization, env),
            "headers": {name: fill(value, env) for name, value in self.headers.items()},
        }
        return self.model_copy(update=changed)


def _leaves(value: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value
