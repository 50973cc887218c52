"""What the API's own pages show."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from app.actions.manage_tokens import DAYS, SCOPES
from app.db.api_tokens import ApiToken
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class TokensPage(Page):
    """GET and POST /tokens (fields name, scopes, days, password); POST /tokens/{id}/revoked."""

    template: ClassVar[str] = "tokens.html"
    scopes: ClassVar[Mapping[str, str]] = SCOPES
    days: ClassVar[tuple[int, ...]] = DAYS
    tokens: list[ApiToken]
    now: datetime
    password_is_fresh: bool
    name: str = ""
    chosen: list[str]  # scopes
    holds: int  # days
    made: str | None = None  # shown once


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One route of the API, as its description has it."""

    method: str
    path: str
    scope: str
    about: str
    inputs: list[tuple[str, str, bool]]  # name, type, needed
    answer: str


@dataclass(frozen=True, kw_only=True)
class ApiPage(Page):
    """GET /api/docs: the OpenAPI document, laid out for people."""

    template: ClassVar[str] = "api.html"
    document: Mapping[str, Any]

    @property
    def operations(self) -> Iterator[Operation]:
        """Give every route in the order of the document."""
        for path, methods in self.document["paths"].items():
            for method, said in methods.items():
                yield Operation(
                    method=method.upper(),
                    path=path,
                    scope=", ".join(said.get("tags", [])),
                    about=said.get("description", said.get("summary", "")),
                    inputs=[*self._parameters(said), *self._fields(said)],
                    answer=self._answer(said),
                )

    def _parameters(self, said: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
        for parameter in said.get("parameters", []):
            kind = _kind(parameter["schema"])
            yield f"{parameter['name']} (in the {parameter['in']})", kind, parameter["required"]

    def _fields(self, said: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
        for content in said.get("requestBody", {}).get("content", {}).values():
            schema = self._schema(content["schema"])
            for name, field in schema.get("properties", {}).items():
                yield f"{name} (field)", _kind(field), name in schema.get("required", [])

    def _answer(self, said: Mapping[str, Any]) -> str:
        for status, answer in said["responses"].items():
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            if status.startswith("2") and schema:
                item = schema.get("items", schema)
                fields = ", ".join(self._schema(item).get("properties", {}))
                return ("a list of: " if "items" in schema else "") + fields
        return ""

    def _schema(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.document["components"]["schemas"][name] if name else schema


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    return str(schema.get("type") or schema.get("$ref", "text").rpartition("/")[2])
