"""``make audit``: known vulnerabilities of what is installed, and a bill of materials, without failing where nobody can be asked.

    python constraints/audit.py --out .audit [--strict]

The bill (CycloneDX) needs no network. pip-audit asks the package index; an answer that names vulnerabilities ends with exit
code 1, no answer with 0 and a line that says so (with ``--strict`` 2).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_S = 300


def bill(out: Path) -> int | None:
    """Writes the bill; the number of its components, None if its tool does not end well."""
    target = out / "sbom.json"
    words = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        "--output-format",
        "JSON",
        "--output-file",
        str(target),
    ]
    try:
        subprocess.run([*words, sys.executable], check=True, capture_output=True, timeout=TIMEOUT_S)
        return len(json.loads(target.read_text(encoding="utf-8"))["components"])
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        target.unlink(missing_ok=True)
        return None


def vulnerabilities(out: Path) -> list[str] | None:
    """``package version: id`` each; None where nobody answered."""
    target = out / "pip-audit.json"
    target.unlink(missing_ok=True)
    words = [
        sys.executable,
        "-m",
        "pip_audit",
        "--local",
        "--skip-editable",
        "--progress-spinner",
        "off",
        "--timeout",
        "15",
    ]
    try:
        subprocess.run([*words, "-f", "json", "-o", str(target)], capture_output=True, timeout=TIMEOUT_S)
        found = json.loads(target.read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return [
        f"{each['name']} {each['version']}: {hole['id']}" for each in found for hole in each.get("vulns", ())
    ]


def main(given: Sequence[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(description="Known vulnerabilities and a bill of materials.")
    parser.add_argument("--out", type=Path, default=Path(".audit"))
    parser.add_argument("--strict", action="store_true", help="exit code 2 where nobody answered")
    arguments = parser.parse_args(given)
    arguments.out.mkdir(parents=True, exist_ok=True)
    components = bill(arguments.out)
    said = "no bill of materials could be made" if components is None else f"{components} components in"
    print(f"{said} {arguments.out / 'sbom.json'}")
    found = vulnerabilities(arguments.out)
    if found is None:
        print("nobody could be asked for known vulnerabilities: not checked")
        return 2 if arguments.strict else 0
    print("\n".join(found) or "no known vulnerabilities")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
