"""What an ELF file needs: its processor, and the newest symbols of the C library."""

from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"
ARCHITECTURES = {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64"}


def is_shared_object(path):
    """Whether a file is ELF, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def needs(path):
    """The architecture, as Lambda names it, and the newest GLIBC version; ``()`` for none."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        section = elf.get_section_by_name(".gnu.version_r")
        names = {
            each.name
            for _, versions in (section.iter_versions() if section else ())
            for each in versions
        }
        machine = elf["e_machine"]
    glibc = [
        tuple(map(int, name.removeprefix("GLIBC_").split(".")))
        for name in names
        if name.startswith("GLIBC_") and name != "GLIBC_PRIVATE"
    ]
    return ARCHITECTURES.get(machine, machine), max(glibc, default=())
