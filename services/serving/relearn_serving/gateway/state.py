"""What is in force now: routes and loaded models, one immutable value that is swapped whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from relearn_serving.gateway.model import Model
from relearn_serving.gateway.routing import RouteTable


@dataclass(frozen=True, slots=True)
class Serving:
    """Every version that a route names is among the models: models load before their route is in force."""

    table: RouteTable = field(default_factory=RouteTable)
    models: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))


class Current:
    """Holds the value in force. Readers take it once per request, which then keeps the models it was given."""

    def __init__(self) -> None:
        self.serving = Serving()

    def swap(self, serving: Serving) -> None:
        self.serving = serving
