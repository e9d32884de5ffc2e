"""Prompts: chat templates in sandboxed Jinja. A template is data: it computes no side effects.

Templates reach plain values only (texts, numbers, lists, mappings): no attributes that start with an
underscore, no calls of methods that change things, no unbounded repetition, and an output cap. What they may
be made of is in `haetae.core.template_shape`, what bounds them while they run in `haetae.core.sandbox`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError, UndefinedError

from haetae.core.canonical import Json, digest
from haetae.core.sample import Message, Role
from haetae.core.sandbox import MAX_RENDERED, STEPS, Sandbox
from haetae.core.template_bound import longest
from haetae.core.template_shape import check_shape
from haetae.errors import ConfigError, Problem

MAX_TEMPLATE = 200_000
"""Longest template, in characters."""

_environment = Sandbox()


@dataclass(frozen=True)
class Prompt:
    """A chat template under a name: messages whose contents are templates. `file` is where it was read from."""

    name: str
    messages: tuple[Message, ...]
    file: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, name: str, content: Json, file: str | None = None) -> Prompt:
        """From a text (one user message) or a list of {role, content}.

        Raises ConfigError with the line of a syntax error, and for what a sandbox must refuse.
        """
        turns: Sequence[Mapping[str, Any]] = (
            [{"role": "user", "content": content}] if isinstance(content, str) else content
        )
        prompt = cls(name, tuple(Message(_role(turn["role"], name), turn["content"]) for turn in turns), file)
        _ = prompt._compiled
        return prompt

    @property
    def content(self) -> Json:
        """What is registered: a list of {role, content}."""
        return [message.as_json() for message in self.messages]

    @property
    def digest(self) -> str:
        return digest(self.content)

    @cached_property
    def _compiled(self) -> tuple[tuple[Role, Any], ...]:
        compiled = []
        for message in self.messages:
            if len(message.content) > MAX_TEMPLATE:
                raise ConfigError(Problem(f"a template may have {MAX_TEMPLATE:,} characters", file=self.name))
            try:
                check_shape(_environment.parse(message.content))
                template = _environment.from_string(message.content)
                template.globals = dict(template.globals)  # a plain one is copied for each rendering in a tenth
                compiled.append((message.role, template))
            except TemplateSyntaxError as exc:
                raise ConfigError(Problem(f"template: {exc.message}", file=self.name, line=exc.lineno)) from exc
            except RecursionError as exc:
                raise ConfigError(Problem("template: it is nested too deep", file=self.name)) from exc
        return tuple(compiled)

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names that the template asks for."""
        found: set[str] = set()
        for message in self.messages:
            found |= meta.find_undeclared_variables(_environment.parse(message.content))
        return frozenset(found - {"range"})

    def fits(self, size: int) -> bool:
        """Whether every sample of at most `size` bytes of JSON can be rendered, whatever it holds."""
        trees = [_environment.parse(message.content) for message in self.messages]
        lengths = [longest(tree, size) for tree in trees]
        return all(length is not None and length <= MAX_RENDERED for length in lengths)

    def render(self, values: Mapping[str, Any], sample_id: str) -> tuple[Message, ...]:
        """The chat with the values filled in.

        Raises ConfigError naming template, variable and sample for a value that is missing, a value
        that the sandbox keeps out of reach, or an output over the cap.
        """
        out = []
        for role, template in self._compiled:
            try:
                parts, size = [], 0
                for part in template.generate({**values, STEPS: [0]}):
                    size += len(part)
                    if size > MAX_RENDERED:
                        raise SecurityError(f"the rendered prompt is over {MAX_RENDERED:,} characters")
                    parts.append(part)
                out.append(Message(role, "".join(parts)))
            except UndefinedError as exc:
                raise ConfigError(Problem(f"sample {sample_id!r}: {exc.message}", file=self.name)) from exc
            except Exception as exc:  # whatever a filter or an operator raises for the values of this sample
                raise ConfigError(
                    Problem(f"sample {sample_id!r}: {type(exc).__name__}: {exc}", file=self.name)
                ) from exc
        return tuple(out)


def _role(text: str, name: str) -> Role:
    if text not in ("system", "user", "assistant", "tool"):
        raise ConfigError(Problem(f"role {text!r} is none of system, user, assistant, tool", file=name))
    return text  # type: ignore[return-value]  # narrowed above


def check_variables(prompt: Prompt, offered: frozenset[str], required: frozenset[str], such_as: str = "") -> None:
    """Raises ConfigError at the field `prompt`: for each variable that nobody offers, or none that it must use.

    `such_as` names a prompt that would do.
    """
    shown, there, wrong, wish = prompt.file or prompt.name, ", ".join(sorted(offered)), [], ""
    if required and not prompt.variables & required:
        wanted = " or ".join(f"{{{{ {name} }}}}" for name in sorted(required))
        wish = f"; expected one with {wanted}{f', such as {such_as}' if such_as else ''}"
    for name in sorted(prompt.variables - offered):
        near = difflib.get_close_matches(name, sorted(offered), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        wrong.append(f"{_line_of(prompt, name)}variable {name!r} is not offered{hint}; there are {there}{wish}")
    if wish and not wrong:
        needed = ", ".join(sorted(required))
        wrong.append(f"the template uses none of {needed}: every sample would be asked the same{wish}")
    if wrong:
        raise ConfigError([Problem(f"{shown}: {why}", field="prompt") for why in wrong])


def _line_of(prompt: Prompt, variable: str) -> str:
    """Where a template asks for a variable first: `line 3: `, and of a chat the message too."""
    for place, message in enumerate(prompt.messages, 1):
        names = _environment.parse(message.content).find_all(nodes.Name)
        lines = [name.lineno for name in names if name.name == variable]
        if lines:
            return f"{f'message {place}, ' if len(prompt.messages) > 1 else ''}line {min(lines)}: "
    return ""
