"""The part of expr-lang 1.17 that our formulas are made of.

Numbers, names, `nil`, `max(...)`, `min(...)`, parentheses and the operators `??`, `*`, `+`, `>`,
`==`, `||` and `? :`, with expr's precedence: `??` binds tightest. Everything else is refused.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

_PRECEDENCE: Final = {"||": 10, "==": 20, ">": 20, "+": 30, "*": 60, "??": 500}
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\?\?|==|\|\||[?:()+*>,]))"
)
_PLACEHOLDER: Final = -1.0
"""What KEDA gives every trigger when it tries a formula at admission."""

Value: TypeAlias = float | bool | None


class FormulaError(Exception):
    """KEDA refuses the formula, or fails to evaluate it."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    """A trigger's value; `nil` too."""

    name: str


@dataclass(frozen=True)
class Max:
    arguments: tuple["Node", ...]


@dataclass(frozen=True)
class Min:
    arguments: tuple["Node", ...]


@dataclass(frozen=True)
class Binary:
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Ternary:
    condition: "Node"
    then: "Node"
    otherwise: "Node"


Node: TypeAlias = Number | Name | Max | Min | Binary | Ternary


def composite(formula: str, values: Mapping[str, float | None]) -> float | None:
    """The formula's result; a trigger that is absent from `values` is nil.

    KEDA wraps it in `float(...)`; only a formula that contains `??` may come out as nil.

    Raises:
        FormulaError: nil or a truth value where a number is needed.
    """
    result = _evaluate(parse(formula), values)
    if result is None and "??" in formula:
        return None
    return _number(result, "float")


def admit(formula: str, names: set[str]) -> None:
    """What the admission webhook checks: every name is a trigger, and one run works.

    Raises:
        FormulaError
    """
    unknown = _names(parse(formula)) - names - {"nil"}
    if unknown:
        raise FormulaError(f"unknown name {min(unknown)}")
    composite(formula, dict.fromkeys(names, _PLACEHOLDER))


def parse(formula: str) -> Node:
    """The formula as a tree.

    Raises:
        FormulaError: bad syntax, or outside of this part of the language.
    """
    parser = _Parser(list(_tokens(formula)))
    tree = parser.expression(0)
    parser.expect("")
    return tree


def _tokens(formula: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(formula.rstrip())
    while position < end:
        found = _TOKEN.match(formula, position)
        if found is None or found.lastgroup is None:
            raise FormulaError(f"unexpected token at {position}: {formula[position:]!r}")
        yield found.lastgroup, found.group(found.lastgroup)
        position = found.end()
    yield "end", ""


class _Parser:
    """Precedence climbing, in expr's own order of decisions."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens

    def expect(self, text: str) -> None:
        if self._tokens[0][1] != text:
            raise FormulaError(f"unexpected token {self._tokens[0][1] or 'EOF'}")
        self._next()

    def expression(self, precedence: int) -> Node:
        left, before = self._primary(), ""
        while _PRECEDENCE.get(sign := self._tokens[0][1], -1) >= precedence:
            if before == "??" and sign != "??":
                raise FormulaError(f"{sign} and ?? cannot be mixed without parentheses")
            self._next()
            left = Binary(sign, left, self.expression(_PRECEDENCE[sign] + 1))
            before = sign
        return self._conditional(left) if precedence == 0 else left

    def _conditional(self, condition: Node) -> Node:
        if self._tokens[0][1] != "?":
            return condition
        self._next()
        then = self.expression(0)
        self.expect(":")
        return Ternary(condition, then, self.expression(0))

    def _primary(self) -> Node:
        kind, text = self._next()
        if kind == "number":
            return Number(float(text))
        if kind == "name":
            return self._call(text) if self._tokens[0][1] == "(" else Name(text)
        if text != "(":
            raise FormulaError(f"unexpected token {text or 'EOF'}")
        inner = self.expression(0)
        self.expect(")")
        return inner

    def _call(self, function: str) -> Node:
        if function not in {"max", "min"}:
            raise FormulaError(f"unknown name {function}")
        self.expect("(")
        arguments = [self.expression(0)]
        while self._tokens[0][1] == ",":
            self._next()
            arguments.append(self.expression(0))
        self.expect(")")
        return Max(tuple(arguments)) if function == "max" else Min(tuple(arguments))

    def _next(self) -> tuple[str, str]:
        return self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]


def _evaluate(node: Node, values: Mapping[str, float | None]) -> Value:
    match node:
        case Number(value):
            return value
        case Name(name):
            return None if name == "nil" else values.get(name)
        case Max(arguments):
            return max(_number(_evaluate(argument, values), "max") for argument in arguments)
        case Min(arguments):
            return min(_number(_evaluate(argument, values), "min") for argument in arguments)
        case Ternary(condition, then, otherwise):
            chosen = then if _truth(_evaluate(condition, values)) else otherwise
            return _evaluate(chosen, values)
        case Binary():
            return _binary(node, values)


def _binary(node: Binary, values: Mapping[str, float | None]) -> Value:
    left = _evaluate(node.left, values)
    match node.operator:
        case "??":
            return left if left is not None else _evaluate(node.right, values)
        case "||":
            return _truth(left) or _truth(_evaluate(node.right, values))
        case "==":
            return left == _evaluate(node.right, values)
        case operator:
            return _arithmetic(operator, left, _evaluate(node.right, values))


def _arithmetic(operator: str, left: Value, right: Value) -> Value:
    one, other = _number(left, operator), _number(right, operator)
    match operator:
        case ">":
            return one > other
        case "+":
            return one + other
        case _:
            return one * other


def _number(value: Value, user: str) -> float:
    if value is None or isinstance(value, bool):
        raise FormulaError(f"invalid argument for {user} ({value!r})")
    return value


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise FormulaError(f"{value!r} is no truth value")
    return value


def _names(node: Node) -> set[str]:
    match node:
        case Number():
            return set()
        case Name(name):
            return {name}
        case Max(arguments) | Min(arguments):
            return set().union(*map(_names, arguments))
        case Binary(_, left, right):
            return _names(left) | _names(right)
        case Ternary(condition, then, otherwise):
            return _names(condition) | _names(then) | _names(otherwise)
