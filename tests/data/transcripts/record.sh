#!/bin/sh
# Records every transcript anew from real Puppets in the lab: root, Debian, minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../../.." && pwd)
python=${PYTHON:-$project/.venv/bin/python}

# record RELEASE DIRECTORY
record() {
    export LAB_NAME="record-$1"
    "$project/lab/lab" up --agents 1 --release "$1"
    "$python" "$project/tests/cli/record.py" "$LAB_NAME" "$here/$2"/*.txt
    "$project/lab/lab" down
}

record bullseye puppet-cert
record bookworm puppetserver-7
record trixie puppetserver-8
