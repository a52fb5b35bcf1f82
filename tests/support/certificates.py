"""Certificates for tests, made by openssl."""

import subprocess
from pathlib import Path


def certificate(directory: Path, name: str) -> Path:
    """A certificate of a host, signed by itself, and its key, in one file."""
    file = directory / f"{name}.pem"
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(key.read_text() + cert.read_text())
    return file
