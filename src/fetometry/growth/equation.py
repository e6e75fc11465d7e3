"""An equation as text, such as "8.96 + 0.540*HC + 0.0003*HC**3", worked out on arrays.

Allowed are numbers, the variables named, + - * / **, and ln, log10, exp, sqrt. Nothing else of
Python is: a chart file from elsewhere can compute, and can do nothing more.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fetometry.growth.refusals import ChartError, Floats

FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "ln": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
}
OPERATORS: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}

#: Longer texts are no equation, and would take long to work out.
MOST_LETTERS = 500

#: Whole powers up to this are products, which is several times as fast as a power.
MOST_FACTORS = 4


@dataclass(frozen=True)
class Equation:
    """An equation in the variables named; valid once built.

    Raises:
        ChartError: the text is no equation, or uses a name or a sign that is not allowed.
    """

    text: str
    variables: tuple[str, ...]
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > MOST_LETTERS:
            raise ChartError(f"an equation has at most {MOST_LETTERS} letters: {self.text[:40]}…")
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise ChartError(f"no equation: {self.text!r}") from None
        for problem in _problems(tree, self.variables):
            raise ChartError(f"{self.text!r}: {problem}; {_allowed(self.variables)}")
        object.__setattr__(self, "_tree", tree)

    def __call__(self, values: Mapping[str, Floats]) -> Floats:
        """Work the equation out on arrays that broadcast; NaN or infinite where it has no value."""
        with np.errstate(all="ignore"):
            return np.asarray(_value(self._tree, values), dtype=np.float64)


def _allowed(variables: Sequence[str]) -> str:
    return (
        f"allowed are numbers, {', '.join(variables)}, + - * / **, brackets, {', '.join(FUNCTIONS)}"
    )


def _problems(node: ast.expr, variables: Sequence[str]) -> Iterator[str]:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return
        case ast.Name(id=name):
            if name not in variables:
                yield f"unknown name {name!r}"
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            yield from _problems(operand, variables)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            yield from _problems(left, variables)
            yield from _problems(right, variables)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            yield from _problems(argument, variables)
        case _:
            yield f"not allowed: {ast.unparse(node)!r}"


def _value(node: ast.expr, values: Mapping[str, Floats]) -> Floats:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)  # type: ignore[return-value]  # broadcasts as an array does
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=op, operand=operand):
            found = _value(operand, values)
            return -found if isinstance(op, ast.USub) else found
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() as power)) if (
            1 <= power <= MOST_FACTORS
        ):
            base = product = _value(left, values)
            for _ in range(power - 1):
                product = product * base
            return product
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return FUNCTIONS[name](_value(argument, values))
    raise ChartError(f"not allowed: {ast.unparse(node)!r}")
