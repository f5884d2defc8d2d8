#!/bin/sh
# One alert, a second, then ten with the same labels at once: all of them update one RemediationRequest, whose
# occurrence count must be 11. Ends with 0 if the Gateway answered each of the eleven with 2xx.
#   GATEWAY_URL   base URL of the Gateway     ALERT   a word that makes this run's alert its own
set -eu
url="${GATEWAY_URL%/}/api/v1/signals/prometheus"
alert="${ALERT:-$(date +%s)}"
now="$(date -u +%Y-%m-%dT%H:%M:%SZ)"
body='{"version":"4","status":"firing","receiver":"gateway","groupLabels":{},"commonLabels":{},"commonAnnotations":{},
"alerts":[{"status":"firing","startsAt":"'"$now"'","labels":{"alertname":"PodCrashed","namespace":"prod-api",
"severity":"critical","pod":"concurrent-'"$alert"'"},"annotations":{"summary":"posted eleven times"}}]}'

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
printf '%s' "$body" > "$folder/body.json"

# Posts the alert $1 times at once, and prints one status code a line.
post() {
  for each in $(seq "$1"); do
    [ "$each" = 1 ] || echo next
    echo silent
    echo "url = \"$url\""
    echo 'header = "Content-Type: application/json"'
    echo "data = \"@$folder/body.json\""
    echo 'output = "/dev/null"'
    printf '%s\n' 'write-out = "%{http_code}\n"'
    echo 'max-time = 20'
  done | curl --parallel --parallel-immediate --parallel-max 50 --no-progress-meter --config -
}

{ post 1 || true; sleep 1; post 10 || true; } > "$folder/codes"
taken="$(grep -c '^2' "$folder/codes" || true)"
echo "pod concurrent-$alert: $taken of 11 answered 2xx; codes: $(tr '\n' ' ' < "$folder/codes")"
[ "$taken" = 11 ]
