"""What `--fix` does: steps that take nothing away from anybody who should have it."""

from collections.abc import Sequence
from dataclasses import replace

from directcd.doctor.findings import Finding


def mended(findings: Sequence[Finding]) -> tuple[list[Finding], list[str]]:
    """The findings that are left after every step was tried, and what was done."""
    left: list[Finding] = []
    done: list[str] = []
    for finding in findings:
        after = _mended(finding)
        left.append(after)
        if finding.mend and after is not finding and after.mend is None and after.severity == "ok":
            done.append(finding.mend.does)
    return left, done


def _mended(finding: Finding) -> Finding:
    if finding.mend is None:
        return finding
    try:
        finding.mend.step()
    except OSError as error:
        return replace(finding, next=f"{finding.next}: {error.strerror}", mend=None)
    return replace(finding, severity="ok", next="", mend=None)
