"""What Windows shows as the program's properties. Imported by agent.spec, on Windows alone."""

from __future__ import annotations

from PyInstaller.utils.win32.versioninfo import (
    FixedFileInfo,
    StringFileInfo,
    StringStruct,
    StringTable,
    VarFileInfo,
    VarStruct,
    VSVersionInfo,
)

_US_ENGLISH = 0x0409
_UNICODE = 0x04B0


def resource(version: str) -> VSVersionInfo:
    """Return the version resource for a version such as 1.20.3."""
    numbers = (*(int(part) for part in version.split(".")), 0)
    strings = {
        "FileDescription": "Forge Fleet agent",
        "FileVersion": version,
        "InternalName": "forge-agent",
        "LegalCopyright": "MIT License",
        "OriginalFilename": "forge-agent.exe",
        "ProductName": "Forge Fleet",
        "ProductVersion": version,
    }
    table = StringTable(
        f"{_US_ENGLISH:04X}{_UNICODE:04X}",
        [StringStruct(name, value) for name, value in strings.items()],
    )
    return VSVersionInfo(
        ffi=FixedFileInfo(filevers=numbers, prodvers=numbers),
        kids=[
            StringFileInfo([table]),
            VarFileInfo([VarStruct("Translation", [_US_ENGLISH, _UNICODE])]),
        ],
    )
