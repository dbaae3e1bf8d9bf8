#!/bin/sh
# Says of each metric that others rely on whether it is in a scrape, with its type and its labels: the five of the
# contract first, then those on which the alerts rest. Usage: verify-metrics.sh [URL or -], by default
# http://localhost:8080/metrics; - reads a scrape from standard input. Exit code 0 if all is there, 1 if something is
# missing or wrong, 2 if there is no scrape.
set -eu
url=${1:-http://localhost:8080/metrics}
scrape=$(mktemp)
trap 'rm -f "$scrape"' EXIT
if [ "$url" = - ]; then cat >"$scrape"; else
    curl -sSf --max-time 10 "$url" >"$scrape" || { echo "there is no scrape at $url: is the port-forward open?" >&2; exit 2; }
fi
[ -s "$scrape" ] || { echo "the scrape of $url is empty" >&2; exit 2; }

# Name, type, labels, and `later` for a metric that is there only with what it is about: a server, a limit, an event.
awk '
    FNR == NR {
        if (!NF) next
        order[++count] = $1; type[$1] = $2; labels[$1] = $3; later[$1] = $4 == "later"
        next
    }
    /^# TYPE / { found[$3] = $4; next }
    /^#/ { next }
    {
        name = $0; sub(/[{ ].*/, "", name)
        family = name
        if (!(family in found)) sub(/_(bucket|sum|count)$/, "", family)
        set = index($0, "{") ? substr($0, index($0, "{") + 1) : ""
        sub(/} [^}]*$/, "", set)
        # A bracket or a comma within a value is no label: values are taken away first.
        gsub(/="([^"\\]|\\.)*"/, "", set)
        if (name !~ /_(sum|count)$/ || found[family] != "histogram") sample[family] = "," set ","
    }
    END {
        for (number = 1; number <= count; number++) {
            name = order[number]
            if (!(name in found)) {
                if (later[name]) print "later   " name ": it is there only with what it is about"
                else { bad++; print "MISSING " name }
                continue
            }
            problem = found[name] == type[name] ? "" : "it is a " found[name] ", not a " type[name]
            wanted = split(labels[name] == "-" ? "" : labels[name], each, ",")
            for (i = 1; i <= wanted; i++)
                if (!index(sample[name], "," each[i] ",")) problem = problem (problem ? "; " : "") "it lacks the label " each[i]
            if (problem) { bad++; print "WRONG   " name ": " problem; continue }
            print "ok      " name " " type[name] (labels[name] == "-" ? "" : "{" labels[name] "}")
        }
        print count " metrics, " bad + 0 " missing or wrong"
        exit bad > 0
    }
' - "$scrape" <<'METRICS'
ta_bot_signals_generated_total counter symbol,strategy,timeframe,action
ta_bot_signal_processing_duration histogram symbol,timeframe
ta_bot_strategies_run_total counter symbol,timeframe
ta_bot_strategy_executions_total counter strategy,symbol,timeframe,status,signal_generated
ta_bot_config_changes_total counter action,strategy

ta_bot_able gauge ability
ta_bot_build_info gauge version,commit
ta_bot_bus_connected gauge -
ta_bot_candle_age_seconds gauge symbol,timeframe later
ta_bot_candles_refused_total counter reason
ta_bot_candles_revised_total counter timeframe
ta_bot_candles_unfinished_total counter timeframe
ta_bot_decisions_kept gauge -
ta_bot_disk_free_bytes gauge place
ta_bot_disk_size_bytes gauge place
ta_bot_election_enabled gauge -
ta_bot_election_way gauge way
ta_bot_is_leader gauge -
ta_bot_jetstream_bytes gauge - later
ta_bot_jetstream_limit_bytes gauge - later
ta_bot_jobs_queued gauge -
ta_bot_jobs_total counter outcome
ta_bot_lease_renewal_age_seconds gauge -
ta_bot_otel_dropped_total counter signal later
ta_bot_outbox_age_seconds gauge -
ta_bot_parameters_stale_seconds gauge -
ta_bot_paused_seconds_total counter -
ta_bot_publish_latency_seconds histogram -
ta_bot_signals_committed_total counter strategy,timeframe,action
ta_bot_signals_expired_total counter reason
ta_bot_store_connected gauge store later
ta_bot_strategy_failures_total counter strategy,code
ta_bot_strategy_quarantined gauge strategy
ta_bot_strategy_starved_total counter strategy
ta_bot_strategy_suspended_series gauge strategy later
ta_bot_strategy_throttled_total counter strategy
ta_bot_stream_bytes gauge stream later
ta_bot_stream_limit_bytes gauge stream later
ta_bot_webhook_deliveries_total counter receiver,outcome later
ta_bot_webhook_lag_seconds gauge receiver later
METRICS
