"""From the words of an rc line to the arguments of a class's ``create``.

The annotations of ``create`` say what each word becomes; a parameter without one takes the text. An
object made on an earlier line (``$name``) goes wherever an object, ``Any`` or nothing is asked
for, and as the text of its Id where a ``str`` is. Nothing here makes an object: `bind` answers
what would be passed and what is wrong with it, for a boot and for ``vista check`` alike.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from vista.errors import VistaError
from vista.ids import Id
from vista.kernel.objects import ClassName
from vista.standard.rc_grammar import Argument, Mistake, Unknown, did_you_mean
from vista.values import Referable, Reference

YES = ("yes", "true", "on", "1")
NO = ("no", "false", "off", "0")

_WANTED = {
    int: "an int",
    float: "a number",
    bool: "yes or no (or true/false, on/off, 1/0)",
    str: "a text",
    bytes: "a text",
    Decimal: "a decimal number",
    date: "a date such as 2003-07-21",
    datetime: "a date and time such as 2003-07-21T18:30:00",
    time: "a time such as 18:30:00",
    UUID: "a UUID",
    Id: "an Id",
    type(None): "nil",
}
_LISTS: Mapping[object, Callable[[Iterable[object]], object]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: list,
    Iterable: list,
}
_ANYTHING = (typing.Any, object, inspect.Parameter.empty)


class _Refused(Exception):
    """A word is not what the parameter asks for; the text says what was wrong.

    ``near`` is the near miss, which stands at the end of the whole message.
    """

    def __init__(self, text: str, near: str = "") -> None:
        super().__init__(text)
        self.near = near


FileName = typing.NewType("FileName", str)
"""Annotates a parameter that names a file: an rc line may name it relative to the rc file."""


class Finder(Protocol):
    """Finds what words of an rc line stand for."""

    def object(self, text: str) -> object:
        """The object behind an Id in text form or a service name; raises a `VistaError`."""

    def file(self, text: str) -> str:
        """The file name, made to start at the rc file's directory if there is such a file."""


def signature_of(function: Callable[..., object]) -> inspect.Signature:
    """The signature of a method as an rc line sees it: without ``self``, annotations as types.

    An annotation that cannot be resolved (its name is imported for type checkers only) counts as
    ``Any``.
    """
    signature = inspect.signature(function)
    space = getattr(inspect.unwrap(function), "__globals__", {})
    parameters = [
        parameter.replace(annotation=_resolve(parameter.annotation, space))
        for parameter in list(signature.parameters.values())[1:]
    ]
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


def _resolve(annotation: object, space: dict[str, object]) -> object:
    if not isinstance(annotation, str):
        return annotation
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=space)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return typing.Any


def describe_signature(class_name: str, signature: inspect.Signature) -> str:
    """How errors show what a class takes: ``Counter(start: int = 0, *names: str)``."""
    shown = [_describe_parameter(parameter) for parameter in _positional(signature)]
    return f"{class_name}({', '.join(shown)})"


def _describe_parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
    text = star + parameter.name
    plain = parameter.annotation is inspect.Parameter.empty
    if not plain:
        text += f": {type_name(parameter.annotation)}"
    if parameter.default is inspect.Parameter.empty:
        return text
    return f"{text}={parameter.default!r}" if plain else f"{text} = {parameter.default!r}"


def type_name(annotation: object) -> str:
    """An annotation as its author would write it: ``int``, ``list[int]``, ``str | None``."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Reference:
        return "Ref"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_name(argument) for argument in arguments)
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(argument) for argument in arguments)}]"
    name = getattr(origin or annotation, "__name__", str(annotation))
    if not arguments:
        return str(name)
    inside = ("..." if argument is Ellipsis else type_name(argument) for argument in arguments)
    return f"{name}[{', '.join(inside)}]"


def _positional(signature: inspect.Signature) -> list[inspect.Parameter]:
    """The parameters that words can fill: an rc line has no keywords."""
    unnamed = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind not in unnamed or _must_be_named(parameter)
    ]


def _must_be_named(parameter: inspect.Parameter) -> bool:
    return (
        parameter.kind is inspect.Parameter.KEYWORD_ONLY
        and parameter.default is inspect.Parameter.empty
    )


def bind(
    class_word: Argument,
    signature: inspect.Signature,
    arguments: Sequence[Argument],
    finder: Finder,
) -> tuple[list[object], list[Mistake]]:
    """Convert the words of a line to the arguments of ``create``.

    ``class_word`` names the class and gives the place for what is missing; ``signature`` comes
    from `signature_of`; ``finder`` is asked for what is named by Id, service name or file name.
    Returns the values, in the order of the parameters, and every mistake; the values are of use
    only when there is none.
    """
    expected = f"; expected {describe_signature(str(class_word.value), signature)}"
    parameters = _positional(signature)
    values: list[object] = []
    mistakes: list[Mistake] = []
    for index, argument in enumerate(arguments):
        if argument.many:
            return values, mistakes
        parameter = _parameter_at(parameters, index)
        if parameter is None:
            text = _too_many(str(class_word.value), parameters, len(arguments)) + expected
            mistakes.append(Mistake(argument.line, argument.column, text))
            break
        try:
            values.append(convert(argument, parameter.annotation, finder))
        except _Refused as error:
            text = f"{parameter.name} must be {error}{expected}{error.near}"
            mistakes.append(Mistake(argument.line, argument.column, text))
    mistakes += _missing(class_word, parameters, len(arguments), expected)
    return values, mistakes


def class_words(signature: inspect.Signature, arguments: Sequence[Argument]) -> list[Argument]:
    """The words of a line that name a class which its object makes objects of later.

    They stand where the annotation allows a `ClassName`. A later line may load the class, so they
    are looked at when all lines were.
    """
    parameters = _positional(signature)
    found = []
    for index, argument in enumerate(arguments):
        parameter = None if argument.many else _parameter_at(parameters, index)
        if parameter is None:
            break
        allowed = (parameter.annotation, *typing.get_args(parameter.annotation))
        if ClassName in allowed and isinstance(argument.value, str):
            found.append(argument)
    return found


def _parameter_at(parameters: list[inspect.Parameter], index: int) -> inspect.Parameter | None:
    for place, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return parameter
        if place == index and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            return parameter
    return None


def _too_many(class_name: str, parameters: list[inspect.Parameter], given: int) -> str:
    most = sum(parameter.kind is not inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    taken = {0: "no arguments", 1: "at most 1 argument"}.get(most, f"at most {most} arguments")
    return f"{class_name} takes {taken} and this line has {given}"


def _missing(
    class_word: Argument, parameters: list[inspect.Parameter], given: int, expected: str
) -> list[Mistake]:
    required = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [
        parameter.name
        for parameter in parameters[given:]
        if parameter.kind in required and parameter.default is inspect.Parameter.empty
    ]
    texts = [f"{class_word.value} needs {' and '.join(names)}{expected}"] if names else []
    texts += [
        f"{class_word.value} cannot be made by an rc line: {parameter.name} is passed by name only"
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    return [Mistake(class_word.line, class_word.column, text) for text in texts]


def convert(argument: Argument, annotation: object, finder: Finder) -> object:
    """One word as a value of the annotated type.

    ``nil`` outside quotes is None where None is allowed. A list is written ``a,b,c``, a dict
    ``a=1,b=2``. A union takes the first member that fits, ``str`` and ``Any`` last. Raises an
    error whose text goes after "must be".
    """
    if isinstance(argument.value, Unknown):
        return argument.value
    return _Conversion(argument.quoted, finder).of(argument.value, annotation)


class _Conversion:
    """Converts one word; ``quoted`` says that ``nil`` is a text."""

    def __init__(self, quoted: bool, finder: Finder) -> None:
        self.quoted = quoted
        self.finder = finder

    def of(self, value: object, annotation: object) -> object:
        if annotation is FileName and isinstance(value, str):
            return self.finder.file(value)
        annotation = _plain(annotation)
        if annotation in _ANYTHING or isinstance(annotation, typing.TypeVar):
            return value
        if annotation is None or annotation is type(None):
            self._check_nil(value)
            return None
        origin = typing.get_origin(annotation)
        if origin in (typing.Union, types.UnionType):
            return self._union(value, typing.get_args(annotation))
        if origin is typing.Literal:
            return self._literal(value, typing.get_args(annotation))
        if origin in _LISTS or annotation in _LISTS:
            return self._list(value, origin or annotation, typing.get_args(annotation))
        if origin in (dict, Mapping) or annotation in (dict, Mapping):
            return self._dict(value, typing.get_args(annotation))
        return self._simple(value, origin or annotation)

    def _simple(self, value: object, wanted: object) -> object:
        if isinstance(wanted, type) and issubclass(wanted, (Reference, Referable)):
            return self._object(value)
        if wanted is str:
            return str(value)
        if not isinstance(value, str):
            raise _Refused(f"{_wanted(wanted)}, not an object")
        if wanted is bytes:
            return value.encode()
        if wanted is bool:
            return self._bool(value)
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            return self._enum(value, wanted)
        return _read(value, wanted)

    def _check_nil(self, value: object) -> None:
        if value != "nil" or self.quoted:
            raise _Refused(f"nil, not {_shown(value)}")

    def _bool(self, value: str) -> bool:
        if value.lower() not in YES + NO:
            raise _Refused(f"{_wanted(bool)}, not {_shown(value)}")
        return value.lower() in YES

    def _object(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self.finder.object(value)
        except VistaError as error:
            raise _Refused(f"an object ($name, an Id or a service name): {error}") from error

    def _enum(self, value: str, wanted: type[Enum]) -> Enum:
        for member in wanted:
            if value.lower() in (member.name.lower(), str(member.value).lower()):
                return member
        names = [member.name for member in wanted]
        raise _no_choice(names, value)

    def _literal(self, value: object, choices: tuple[object, ...]) -> object:
        for choice in choices:
            if str(choice) == value or (choice is None and value == "nil" and not self.quoted):
                return choice
        names = [str(choice) for choice in choices]
        raise _no_choice(names, value)

    def _union(self, value: object, members: tuple[object, ...]) -> object:
        refused = []
        for member in sorted(members, key=_tried_last):
            if self._is_only_a_name(value, member, members):
                continue
            try:
                return self.of(value, member)
            except _Refused as error:
                refused.append(str(error))
        if len(refused) == 1 or (len(refused) == 2 and type(None) in members):
            raise _Refused(next(text for text in refused if not text.startswith("nil, not")))
        raise _Refused(f"{' or '.join(map(_wanted, members))}, not {_shown(value)}")

    def _is_only_a_name(self, value: object, member: object, members: tuple[object, ...]) -> bool:
        """Whether a text is kept as a service name, which then is looked up at each message."""
        names_object = isinstance(member, type) and issubclass(member, (Reference, Referable))
        text_allowed = any(_tried_last(other) for other in members)
        return names_object and text_allowed and isinstance(value, str) and not _is_id(value)

    def _list(self, value: object, kind: object, inside: tuple[object, ...]) -> object:
        items: list[object] = list(value.split(",")) if isinstance(value, str) and value else []
        if not isinstance(value, str):
            items = [value]
        if kind is tuple and inside and inside[-1] is not Ellipsis:
            if len(items) != len(inside):
                raise _Refused(f"{len(inside)} values with commas between, not {_shown(value)}")
            return tuple(map(self.of, items, inside))
        item_type = inside[0] if inside else str
        return _LISTS[kind](self.of(item, item_type) for item in items)

    def _dict(self, value: object, inside: tuple[object, ...]) -> dict[object, object]:
        key_type, value_type = inside or (str, str)
        items = str(value).split(",") if value else []
        pairs = [item.partition("=") for item in items]
        if not isinstance(value, str) or not all(equals for _, equals, _ in pairs):
            raise _Refused(f"name=value with commas between, not {_shown(value)}")
        return {self.of(key, key_type): self.of(item, value_type) for key, _, item in pairs}


def _plain(annotation: object) -> object:
    """The type behind ``Annotated``, ``NewType`` and type aliases."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__  # type: ignore[attr-defined]
        else:
            return annotation


def _tried_last(member: object) -> int:
    member = _plain(member)
    return 1 if member is str else 2 if member in _ANYTHING else 0


def _is_id(text: str) -> bool:
    try:
        Id.parse(text)
    except VistaError:
        return False
    return True


def _read(value: str, wanted: Any) -> object:
    """The text as one of the simple types that have a text form of their own."""
    try:
        if wanted is int:
            return _read_int(value)
        if wanted in (float, Decimal, UUID):
            return wanted(value)
        if wanted is Id:
            return Id.parse(value)
        if wanted in (date, datetime, time):
            return wanted.fromisoformat(value)
    except (ValueError, ArithmeticError):
        raise _Refused(f"{_wanted(wanted)}, not {_shown(value)}") from None
    hint = "; let create take a str" if wanted is Path else ""
    raise _Refused(f"{_wanted(wanted)}, which an rc line cannot give{hint}")


def _read_int(value: str) -> int:
    """An int as a person writes it: ``007`` is 7, ``0x1f`` and ``0b101`` are known."""
    try:
        return int(value)
    except ValueError:
        return int(value, 0)


def _wanted(annotation: object) -> str:
    annotation = _plain(annotation)
    if isinstance(annotation, type) and issubclass(annotation, (Reference, Referable)):
        return "an object"
    if isinstance(annotation, type) and annotation in _WANTED:
        return _WANTED[annotation]
    return "nil" if annotation is None else f"a {type_name(annotation)}"


def _no_choice(names: list[str], value: object) -> _Refused:
    text = f"one of {', '.join(names)}, not {_shown(value)}"
    return _Refused(text, did_you_mean(str(value), names))


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else "an object"
