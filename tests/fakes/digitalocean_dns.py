"""Zones with their records, and load balancers, as the provider v2.71.0 asks for them (godo's `domains.go`)."""

from __future__ import annotations

from itertools import count
from typing import Any

from flask import abort, request

from tests.fakes.server import Body

State = dict[str, Any]
Answer = State | tuple[State, int] | tuple[str, int]


class RecordBody(Body):
    """POST and PUT of a record; numbers that a kind of record has not got are sent as zero."""

    type: str = ""
    name: str
    data: str
    priority: int = 0
    port: int = 0
    ttl: int = 1800
    weight: int = 0
    flags: int = 0


class Zones:
    """The zones of an account: records by their number, below the zone's name."""

    def __init__(self) -> None:
        self.records: dict[str, dict[int, State]] = {}
        self._numbers = count(1)

    def routes(self, add: Any) -> None:
        """Register what may be asked."""
        add("/domains", GET=self._list_zones)
        add("/domains/<zone>/records", GET=self._list, POST=self._create)
        add("/domains/<zone>/records/<int:number>", GET=self._show, PUT=self._update, DELETE=self._drop)

    def add(self, zone: str, kind: str, name: str, data: str) -> int:
        """Add a record as if a person had made it, and return its number."""
        number = next(self._numbers)
        body = RecordBody(type=kind, name=name, data=data)
        self.records[zone][number] = {"id": number, **body.model_dump(), "tag": ""}
        return number

    def leads_to(self, host: str) -> str | None:
        """Return the address to which the A record of a host leads, or the wildcard above it."""
        for zone, records in self.records.items():
            names = {item["name"]: item["data"] for item in records.values() if item["type"] == "A"}
            own = host.removesuffix(f".{zone}")
            for name in (own, own.replace(own.split(".")[0], "*", 1)):
                if name in names:
                    return names[name]
        return None

    def _zone(self, zone: str) -> dict[int, State]:
        if zone not in self.records:
            abort(404, "The resource you were accessing could not be found.")
        return self.records[zone]

    def _found(self, zone: str, number: int) -> State:
        if number not in self._zone(zone):
            abort(404, "The resource you were accessing could not be found.")
        return self.records[zone][number]

    def _list_zones(self) -> Answer:
        zones = [{"name": name, "ttl": 1800, "zone_file": ""} for name in self.records]
        return {"domains": zones, "links": {}, "meta": {"total": len(zones)}}

    def _list(self, zone: str) -> Answer:
        return {"domain_records": [*self._zone(zone).values()], "links": {}, "meta": {"total": len(self._zone(zone))}}

    def _create(self, zone: str) -> Answer:
        body = RecordBody.model_validate(request.get_json())
        if any(
            item["name"] == body.name and "CNAME" in {item["type"], body.type} for item in self._zone(zone).values()
        ):
            abort(422, "CNAME records cannot share a name with other records")
        number = self.add(zone, body.type, body.name, body.data)
        self.records[zone][number] |= body.model_dump()
        return {"domain_record": self.records[zone][number]}, 201

    def _show(self, zone: str, number: int) -> Answer:
        return {"domain_record": self._found(zone, number)}

    def _update(self, zone: str, number: int) -> Answer:
        body = RecordBody.model_validate(request.get_json())
        self._found(zone, number).update(body.model_dump(exclude={"type"}))
        return self._show(zone, number)

    def _drop(self, zone: str, number: int) -> Answer:
        del self.records[zone][self._found(zone, number)["id"]]
        return "", 204


def new_balancer(name: str, ip: str) -> State:
    """Return a load balancer as the cluster's controller makes it; it has no `ip` while it is being made."""
    balancer = {"id": f"balancer-{name}", "name": name, "status": "active" if ip else "new", "size_unit": 1}
    return {**balancer, "region": {"slug": "lon1"}, "type": "REGIONAL", "ip": ip}
