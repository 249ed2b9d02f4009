#!/bin/sh
# Three primaries and a replica for each, made once of the six empty servers named; where the cluster stands, nothing is done.
#   redis-cluster.sh HOST:PORT HOST:PORT HOST:PORT HOST:PORT HOST:PORT HOST:PORT     (addresses, no names: CLUSTER MEET takes none)
set -eu
cli=${CLI:-valkey-cli}
host=${1%:*} port=${1##*:}

stands() { "$cli" -h "$host" -p "$port" cluster info | tr -d '\r' | grep -qx 'cluster_state:ok'; }

stands || "$cli" --cluster create "$@" --cluster-replicas 1 --cluster-yes
tries=0
until stands; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || { echo "the cluster does not stand after 30 s" >&2; exit 1; }
    sleep 1
done
