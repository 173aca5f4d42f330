"""What the issuance state machine should do, in the fewest words: a model to compare it with.

It knows thing names, clients, requests, and how much time has passed. It has no database, no
threads and no X.509.
"""

from dataclasses import dataclass, field

WINDOW, ABANDONED, OVERLAP = 600, 3600, 7 * 86400  # seconds: the default profile's, and the janitor

ANSWERS = ("issued", "superseded")


@dataclass
class Row:
    """A certificate, or what was to become one."""

    serial_number: str
    name: str
    client: object  # a bootstrap client's name, or the Row of a device's certificate
    request: tuple
    predecessor: "Row | None"
    ca: int
    created: float
    state: str = "intent"
    superseded: float = 0
    is_released: bool = False

    @property
    def csr(self):
        """The CSR, which stands for the key: there is one of each key and name."""
        return self.request[-1]


@dataclass
class Model:
    """The names of one example."""

    now: float = 0
    ca: int = 0
    rows: list[Row] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    compromised: set[bytes] = field(default_factory=set)
    owners: dict[str, Row] = field(default_factory=dict)
    requests: dict[tuple, Row] = field(default_factory=dict)

    def current(self, name):
        """The name's current certificate, if it has one."""
        return next((r for r in self.rows if r.name == name and r.state == "issued"), None)

    def refusal(self, operation, name, client, csr):
        """The reason code that the request is refused with, or None."""
        if isinstance(client, Row) and client.state == "revoked":
            return "client-certificate-revoked"
        is_replaced = isinstance(client, Row) and client.state == "superseded"
        if is_replaced and client.superseded + OVERLAP <= self.now:
            return "client-certificate-superseded"
        on_file = client if isinstance(client, Row) else self.current(name)
        keys = {csr, on_file.csr} if operation == "reenroll" and on_file else {csr}
        if name in self.denied or keys & self.compromised:
            return "device-denied"
        if isinstance(client, Row):
            return None
        owner = self.owners.get(name)
        if operation == "reenroll" and owner is None:
            return "nothing-to-renew"
        if owner is not None and owner.client != client:
            return "name-bound-to-another"
        if operation == "reenroll" and self.current(name) is None:
            return "nothing-to-renew"
        return None

    def answer(self, request):
        """The row that a repeated request gets or takes up again; None for a new one."""
        row = self.requests.get(request)
        if row is None or row.created + WINDOW <= self.now:
            return None
        if row.state == "intent":
            return row if row.ca == self.ca and row.name in self.owners else None
        return row if row.state in ANSWERS else None

    def record_intent(self, serial_number, operation, name, client, request):
        """A new row, which owns its name if nobody does."""
        on_file = client if isinstance(client, Row) else self.current(name)
        predecessor = on_file if operation == "reenroll" else None
        row = Row(serial_number, name, client, request, predecessor, self.ca, self.now)
        self.rows.append(row)
        self.requests[request] = row
        self.owners.setdefault(name, row)
        return row

    def issue(self, row):
        """Intent to issued; what was current steps back."""
        current = self.current(row.name)
        if current is not None:
            current.state, current.superseded = "superseded", self.now
        row.state = "issued"

    def deny(self, name):
        """Denied, and so is what is under way."""
        self.denied.add(name)
        self._void(row for row in self.rows if row.name == name)

    def revoke(self, row, is_compromised):
        """Revoked, and what it was being used for is over. So is what its key was used for."""
        row.state = "revoked"
        self._void(r for r in self.rows if row in (r.client, r.predecessor))
        if is_compromised:
            self.compromised.add(row.csr)
            self._void(r for r in self.rows if self._keys(r) & self.compromised)

    def _keys(self, row):
        tied = [one for one in (row, row.client, row.predecessor) if isinstance(one, Row)]
        return {one.csr for one in tied}

    def release(self, name):
        """Revoked and void, whatever there is of the name, and free for the next one."""
        for row in self.rows:
            if row.name == name and row.state in ANSWERS:
                self.revoke(row, is_compromised=False)
        self._void(row for row in self.rows if row.name == name)
        for row in self.rows:
            row.is_released = row.is_released or row.name == name
        self.owners.pop(name, None)

    def settle(self):
        """What nobody came back for is over."""
        self._void(row for row in self.rows if row.created < self.now - ABANDONED)

    def _void(self, rows):
        for row in rows:
            if row.state == "intent":
                row.state = "void"
                if self.owners.get(row.name) is row:
                    del self.owners[row.name]
                    self._hand_over(row.name)

    def _hand_over(self, name):
        for row in self.rows:  # oldest first
            if row.name == name and row.state not in ("intent", "void") and not row.is_released:
                self.owners[name] = row
                return
