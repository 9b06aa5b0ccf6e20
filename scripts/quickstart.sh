#!/bin/sh
# quickstart.sh - lmtext's main job on a real table, from nothing: install what is missing, build,
# start a private server in the build folder, import all-MiniLM-L6-v2, embed a table of Debian
# package descriptions, search it by meaning, train and evaluate a classifier of its sections.
#
#   sh scripts/quickstart.sh           a sample of the descriptions (about five minutes on 2 cores)
#   sh scripts/quickstart.sh --all     all of them
#   sh scripts/quickstart.sh --rows N
#
# Can be run again: it makes its tables anew and keeps the model. The server is left running.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

ROWS=16000
while [ $# -gt 0 ]; do
    case $1 in
    --all) ROWS=all ;;
    --rows)
        shift
        ROWS=${1:?--rows needs a number}
        ;;
    *) die "usage: sh scripts/quickstart.sh [--all | --rows N]" ;;
    esac
    shift
done
case $ROWS in
all) ;;
*[!0-9]* | "") die "--rows needs a number, found $ROWS" ;;
esac
only_one

DATABASE=lmtext_demo
STARTED=$(date +%s)

sql() {
    sh scripts/cluster.sh psql -q -v ON_ERROR_STOP=1 -d "$DATABASE" "$@"
}

value() {
    sql -At -c "$1"
}

# with_progress TOTAL QUERY STATEMENT: run a statement in the background and show, once a second, how
# many rows are done, as another session sees it by QUERY.
with_progress() {
    before=$(value "$2")
    PGAPPNAME="lmtext quickstart" sql -c "$3" >"$BUILD/step.log" 2>&1 &
    job=$!
    trap cancel_step INT TERM HUP
    while kill -0 "$job" 2>/dev/null; do
        printf '\r   %s of %s rows ' "$(($(value "$2") - before))" "$1"
        sleep 1
    done
    printf '\r   %s of %s rows \n' "$1" "$1"
    wait "$job" || { cat "$BUILD/step.log"; die "the step failed"; }
    trap - INT TERM HUP
    cat "$BUILD/step.log"
}

# The statement would go on without its client.
cancel_step() {
    value "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'lmtext quickstart'" >/dev/null
    wait "$job" || true
    die "interrupted"
}

say "building lmtext and starting a private PostgreSQL server"
sh scripts/cluster.sh start

say "fetching the model all-MiniLM-L6-v2 and checking its SHA-256"
model=$(sh models/fetch.sh minilm)
staged=$(server_home)/models-demo
mkdir -p "$staged"
cp -RL "$model" "$staged/"
chmod -R a+rX "$staged"

say "reading Debian's package descriptions"
need_packages python3
[ -s "$BUILD/corpus/corpus.jsonl" ] ||
    python3 scripts/debian-corpus.py --out-dir "$BUILD/corpus" --langs en

say "loading the table doc"
[ "$(sh scripts/cluster.sh psql -At -c "SELECT count(*) FROM pg_database WHERE datname = '$DATABASE'")" = 1 ] ||
    sh scripts/cluster.sh psql -q -c "CREATE DATABASE $DATABASE"
limit="LIMIT $ROWS"
[ "$ROWS" != all ] || limit=
sql <<SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
DROP TABLE IF EXISTS doc, doc_vector, doc_test CASCADE;
CREATE TEMP TABLE line (data jsonb);
\\copy line FROM '$BUILD/corpus/corpus.jsonl' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')
-- A sample that is the same every time: by the hash of the description.
CREATE TABLE doc AS
    SELECT row_number() OVER () AS id, data->>'name' AS package, data->>'section' AS section,
           data->>'body' AS body,
           ('x' || left(data->>'md5', 4))::bit(16)::int < 6554 AS is_test
    FROM (SELECT data FROM line ORDER BY right(data->>'md5', 8), data->>'name' $limit) sample;
-- What the classifier learns: sections with enough rows.
DELETE FROM doc WHERE section IS NULL;
ALTER TABLE doc ADD PRIMARY KEY (id), ADD COLUMN is_learnt boolean;
UPDATE doc SET is_learnt = section IN
    (SELECT section FROM doc GROUP BY 1 HAVING count(*) >= greatest(10, (SELECT count(*) FROM doc) / 160));
ANALYZE doc;
SQL
rows=$(value "SELECT count(*) FROM doc")
echo "   $rows rows, $(value "SELECT pg_size_pretty(sum(length(body))) FROM doc") of text"

say "importing the model into the database"
if [ "$(value "SELECT count(*) FROM lmtext.models WHERE name = 'minilm'")" = 0 ]; then
    value "SELECT 'minilm@' || lmtext.import_model('minilm', '$staged/minilm')"
fi
value "ALTER DATABASE $DATABASE SET lmtext.embedding_model = 'minilm'"
sql -c "SELECT name, version, family, dimensions, max_tokens, parameters, pg_size_pretty(bytes) AS size FROM lmtext.models WHERE task = 'embedding'"

say "embedding the table with both cores (CREATE TABLE AS runs in parallel)"
value "SELECT lmtext.load_model('minilm')" >/dev/null
embed_started=$(date +%s.%N)
with_progress "$rows" "SELECT coalesce(sum(texts), 0) FROM lmtext.model_cache" "SET max_parallel_workers_per_gather = 2;
    CREATE TABLE doc_vector AS SELECT id, lmtext.embed(body, 'minilm') AS embedding FROM doc;"
embed_seconds=$(echo "$(date +%s.%N) $embed_started" | awk '{printf "%.1f", $1 - $2}')
sql -c "ANALYZE doc_vector"

say "searching it in words"
for question in "how do I resize images" "recover deleted files from a disk" "learn to play the piano"; do
    printf "\n   %s\n" "$question"
    sql -v question="$question" <<'SQL'
\timing on
SELECT d.package, d.section, round((1 - (v.embedding <=> lmtext.embed(:'question')))::numeric, 3) AS similarity,
       left(split_part(d.body, E'\n', 1), 56) AS description
FROM doc_vector v JOIN doc d USING (id)
ORDER BY v.embedding <=> lmtext.embed(:'question') LIMIT 5;
SQL
done

say "training a classifier of sections on the stored vectors of the rows that are not kept for the test"
train_started=$(date +%s.%N)
train_rows=$(value "SELECT count(*) FROM doc WHERE NOT is_test AND is_learnt")
with_progress "$train_rows" "SELECT coalesce(sum(done), 0) FROM lmtext.train_runs WHERE state = 'running'" "CALL lmtext.train('section', \$\$
    SELECT embedding, section FROM doc JOIN doc_vector USING (id) WHERE NOT is_test AND is_learnt
    \$\$, '{\"task\": \"classification\", \"base\": \"minilm\"}');"
train_seconds=$(echo "$(date +%s.%N) $train_started" | awk '{printf "%.1f", $1 - $2}')
value "SELECT lmtext.deploy('section', max(version)) FROM lmtext.models WHERE name = 'section'" >/dev/null

say "evaluating it on the rows it has not seen"
sql <<'SQL'
CREATE TABLE doc_test AS
    SELECT section AS actual, lmtext.classify(body, 'section') AS predicted FROM doc
    WHERE is_test AND is_learnt;
SELECT count(*) AS rows, round(lmtext.accuracy(actual, predicted)::numeric, 3) AS accuracy,
       round(lmtext.f1(actual, predicted, 'macro')::numeric, 3) AS f1_macro
FROM doc_test;
SELECT label, round(precision::numeric, 2) AS precision, round(recall::numeric, 2) AS recall,
       round(f1::numeric, 2) AS f1, support
FROM lmtext.classification_report('SELECT actual, predicted FROM doc_test') ORDER BY support DESC LIMIT 12;
SQL

say "classifying new text"
sql <<'SQL'
SELECT body, lmtext.classify(body, 'section') AS section
FROM (VALUES ('a console game where you steer a rocket between asteroids'),
             ('French translation files of the office suite'),
             ('header files for developing programs that parse XML')) new(body);
SQL

say "memory and time"
sql -c "SELECT version, state, pg_size_pretty(bytes) AS shared_memory, pins, round(load_ms::numeric, 1) AS load_ms FROM lmtext.model_cache" \
    -c "SELECT cpu, instruction_level, os_threads AS threads_of_this_backend FROM lmtext.device"
echo "   embedded $rows rows in $embed_seconds s; trained on $train_rows rows in $train_seconds s; in all $(($(date +%s) - STARTED)) s"
cat <<DONE

The server is running. Go on with:

    sh scripts/cluster.sh psql -d $DATABASE

and stop it with: sh scripts/cluster.sh stop
DONE
