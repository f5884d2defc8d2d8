"""Alerts that the sender never sent: what the defect unsent-crd and the noise of foreign CRDs make of one."""

import re

from sandbox.gateway.webhook import Alert, parse_alert

# Far above what a load generator counts up to, so that the number is an unused one.
_FIRST_UNUSED = 900_000
_NUMBER = re.compile(r"\d+$")


def unsent(alert: Alert, serial: int) -> Alert:
    """A copy of `alert`: an unused number ends its pod label, and the annotations that ended in the old."""
    pod = str(alert.labels.get("pod", alert.target_name))
    found = _NUMBER.search(pod)
    old = found.group() if found else ""
    new = str(_FIRST_UNUSED + serial).zfill(len(old))

    def renumbered(text: str) -> str:
        match = _NUMBER.search(text)
        return text[: match.start()] + new if match and old and int(match.group()) == int(old) else text

    labels = dict(alert.labels) | {"pod": renumbered(pod) if old else f"{pod}-{new}"}
    annotations = {key: renumbered(value) for key, value in alert.annotations.items()}
    return parse_alert(dict(alert.raw) | {"labels": labels, "annotations": annotations})


def foreign(alert: Alert) -> Alert:
    """An alert of another sender, with nothing of this one's in it but that it is another each time."""
    pod = f"others-{alert.fingerprint[:12]}"
    labels = {"alertname": "DiskFilling", "namespace": "others", "pod": pod, "severity": "warning"}
    return parse_alert({"status": "firing", "labels": labels, "annotations": {"summary": f"{pod} fills up"}})
