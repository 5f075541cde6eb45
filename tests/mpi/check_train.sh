#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Trains networks on several MPI ranks: the digest of their weights is that of one process, whatever the number of ranks. A rank that is
# killed ends the others and leaves the model of the last epoch, from which --resume comes to the digest of an unbroken run; for one that
# stands still the others wait no longer than --timeout.
#
#   check_train.sh MPIRUN CLNORM DATA
set -euo pipefail
mpirun=$1 clnorm=$2
export CLNORM_DATA_DIR=$3
export CLNORM_VARIANT=stats_naive,diff_stats_naive,apply_naive # which rows make the bits is nothing to them: those that compile fast
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

fail()
{
    echo "FAILED: $*" >&2
    failed=1
}

digest_of()
{
    sed -n 's/^weights digest \([0-9a-f]*\).*/\1/p' "$1"
}

# same_digest LEAST MOST OPTION...: for so many ranks
same_digest()
{
    local want here least=$1 most=$2 ranks
    shift 2
    "$clnorm" train --reproducible "$@" >"$folder/one" 2>/dev/null
    want=$(digest_of "$folder/one")
    for ((ranks = least; ranks <= most; ranks++)); do
        "$mpirun" -n "$ranks" "$clnorm" train --reproducible "$@" >"$folder/many" 2>"$folder/errors" || cat "$folder/errors"
        here=$(digest_of "$folder/many")
        if [ -n "$want" ] && [ "$here" = "$want" ]; then
            echo "$ranks ranks, $*: digest $here"
        else
            fail "$ranks ranks, $*: digest '$here', one process '$want'"
        fi
    done
}

same_digest 2 4 --batch 256 --epochs 2
same_digest 3 3 --batch 192 --epochs 1 --conv 4,6 --hidden 24 --type float16
same_digest 2 2 --batch 200 --epochs 1 # parts of 128 and of 72

# end_one SIGNAL OPTION...: starts two ranks, signals the second one once an epoch's model is there. Returns mpirun's exit status.
end_one()
{
    local signal=$1 status=0 starter
    shift
    rm -f "$folder/model.npz"
    # shellcheck disable=SC2016
    "$mpirun" -n 2 sh -c 'echo $$ >"$0.$OMPI_COMM_WORLD_RANK"; exec "$@"' "$folder/pid" \
        "$clnorm" train --reproducible --batch 128 --epochs 100000 --out "$folder/model.npz" "$@" >"$folder/out" 2>"$folder/errors" &
    starter=$!
    for ((i = 0; i < 600; i++)); do
        if [ -e "$folder/model.npz" ] || ! kill -0 "$starter" 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    kill "-$signal" "$(cat "$folder/pid.1")"
    wait "$starter" || status=$?
    return "$status"
}

if end_one KILL; then
    fail "a rank was killed, and mpirun ended as if nothing were wrong"
fi
epoch=$("$clnorm" train --reproducible --batch 128 --epochs 1 --resume "$folder/model.npz" 2>&1 | sed -n 's/.*has had \([0-9]*\) epochs.*/\1/p' || true)
epoch=${epoch:-1}
"$clnorm" train --reproducible --batch 128 --epochs $((epoch + 2)) >"$folder/unbroken" 2>/dev/null
"$mpirun" -n 2 "$clnorm" train --reproducible --batch 128 --epochs $((epoch + 2)) --resume "$folder/model.npz" >"$folder/resumed" 2>"$folder/errors" ||
    cat "$folder/errors"
if [ -n "$(digest_of "$folder/unbroken")" ] && [ "$(digest_of "$folder/resumed")" = "$(digest_of "$folder/unbroken")" ]; then
    echo "killed after epoch $epoch, resumed: digest $(digest_of "$folder/resumed")"
else
    fail "killed after epoch $epoch, resumed: digest '$(digest_of "$folder/resumed")', unbroken '$(digest_of "$folder/unbroken")'"
fi

start=$SECONDS
if end_one STOP --timeout 2; then
    fail "a rank stood still, and the others did not mind"
fi
if grep -q 'rank 0 of 2 waited 2 s for the others' "$folder/errors" && [ $((SECONDS - start)) -lt 40 ]; then
    echo "a rank stood still: $(grep -m 1 'waited' "$folder/errors")"
else
    fail "a rank stood still: after $((SECONDS - start)) s"
    cat "$folder/errors"
fi
kill -KILL "$(cat "$folder/pid.1")" 2>/dev/null || true # mpirun has, as a rule
exit "$failed"
