"""What `--fix` does: steps that take nothing away from anybody who should have it."""

from collections.abc import Sequence
from dataclasses import replace

from directcd.doctor.findings import Finding


def mended(findings: Sequence[Finding]) -> tuple[list[Finding], list[str]]:
    """The findings that are left after every step was tried, and what was done."""
    left: list[Finding] = []
    done: list[str] = []
    for finding in findings:
        if finding.mend is None:
            left.append(finding)
            continue
        try:
            finding.mend.step()
        except OSError as error:
            left.append(_failed(finding, finding.mend.does, error))
        else:
            left.append(replace(finding, severity="ok", next="", mend=None))
            done.append(finding.mend.does)
    return left, done


def _failed(finding: Finding, does: str, error: OSError) -> Finding:
    step = f"{finding.next or does} (--fix could not: {error.strerror})"
    return replace(finding, severity="warning", next=step, mend=None)
