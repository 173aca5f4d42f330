"""Which symbol versions a shared object needs of others: as much of ELF as that takes.

The format: https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF"
MACHINES = {62: "x86_64", 183: "arm64"}
_SHT_GNU_VERNEED = 0x6FFFFFFE


@dataclass(frozen=True)
class SharedObject:
    """A 64-bit little-endian ELF file, the only kind that Lambda loads."""

    data: bytes

    @property
    def machine(self) -> str:
        """``x86_64``, ``arm64``, or the ELF number of another processor."""
        (number,) = struct.unpack_from("<H", self.data, 18)
        return MACHINES.get(number, str(number))

    def needed_glibc(self) -> tuple[int, ...]:
        """The newest GLIBC version that it needs; ``()`` for none. Raises ValueError."""
        versions = [
            tuple(map(int, name.removeprefix("GLIBC_").split(".")))
            for name in self.needed_versions()
            if name.startswith("GLIBC_") and name != "GLIBC_PRIVATE"
        ]
        return max(versions, default=())

    def needed_versions(self) -> set[str]:
        """All symbol versions that it needs, as named. Raises ValueError for what isn't ELF."""
        try:
            return set(self._needed_versions())
        except struct.error as error:
            raise ValueError("not a complete ELF file") from error

    def _needed_versions(self) -> Iterator[str]:
        sections = self._sections()
        for kind, offset, link, entries in sections:
            if kind != _SHT_GNU_VERNEED:
                continue
            strings = sections[link][1]
            for _ in range(entries):
                # Elf64_Verneed: version, count, file, first auxiliary, next
                _, count, _, auxiliary, following = struct.unpack_from("<HHIII", self.data, offset)
                place = offset + auxiliary
                for _ in range(count):
                    # Elf64_Vernaux: hash, flags, other, name, next
                    _, _, _, name, next_auxiliary = struct.unpack_from("<IHHII", self.data, place)
                    yield self._string(strings + name)
                    place += next_auxiliary
                offset += following

    def _sections(self) -> list[tuple[int, int, int, int]]:
        """Of each section: type, offset in the file, the section it links to, ``sh_info``."""
        if self.data[:6] != MAGIC + b"\x02\x01":
            raise ValueError("not a 64-bit little-endian ELF file")
        (start,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count = struct.unpack_from("<HH", self.data, 0x3A)
        found = []
        for number in range(count):
            fields = struct.unpack_from("<IIQQQQII", self.data, start + number * size)
            found.append((fields[1], fields[4], fields[6], fields[7]))
        return found

    def _string(self, start: int) -> str:
        return self.data[start : self.data.index(b"\0", start)].decode("ascii")
