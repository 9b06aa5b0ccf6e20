#!/bin/sh
# quickstart.sh - lmtext's main job on a real table, from nothing: install what is missing, build,
# start a private server in the build folder, import all-MiniLM-L6-v2, embed a table of Debian
# package descriptions, search it by meaning, train and evaluate a classifier of its sections.
#
#   sh scripts/quickstart.sh           a sample of the descriptions (about five minutes on 2 cores)
#   sh scripts/quickstart.sh --all     all of them (about 20 minutes)
#   sh scripts/quickstart.sh --rows N  so many; with few there is nothing to train on
#   sh scripts/quickstart.sh --port N  the server listens on 127.0.0.1, too, with a password (LMTEXT_PORT)
#
# Can be run again: it makes its tables and its classifier anew and keeps the model. The server is left running. Ctrl-C
# stops at once, and the server too if this run started it.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
    sed -n '2,12s/^# \{0,1\}//p' scripts/quickstart.sh
}

# NAME VALUE: a number from 1 on.
check_number() {
    case $2 in
    *[!0-9]* | "") die "$1 needs a number, found $2" ;;
    esac
    [ "$2" -gt 0 ] 2>/dev/null || die "$1 needs a number of at least 1, found $2"
}

ROWS=16000
arguments="$*"
while [ $# -gt 0 ]; do
    case $1 in
    --all) ROWS=all ;;
    --rows)
        shift
        ROWS=${1:-}
        check_number --rows "$ROWS"
        ;;
    --port)
        shift
        LMTEXT_PORT=${1:-}
        check_number --port "$LMTEXT_PORT"
        export LMTEXT_PORT
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done
PSQL_PAGER=
DATABASE=lmtext_demo
STARTED=$(date +%s)

# Statements go on without their client: they are ended. A server that ran before this run goes on.
at_interrupt() {
    # shellcheck disable=SC2086 # a list of names
    [ -z "$(missing_packages $BUILD_PACKAGES)" ] || return 0
    if [ -e "$BUILD/quickstart-started" ]; then
        sh scripts/cluster.sh stop
        echo "the server that this run started is stopped"
    else
        sh scripts/cluster.sh psql -q -At -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name LIKE 'lmtext quickstart%' AND pid <> pg_backend_pid()" </dev/null >/dev/null 2>&1 || true
    fi
}

rm -f "$BUILD/quickstart-started"
# shellcheck disable=SC2086 # words without spaces
supervise scripts/quickstart.sh $arguments

PGAPPNAME="lmtext quickstart"
export PGAPPNAME

sql() {
    sh scripts/cluster.sh psql -q -v ON_ERROR_STOP=1 -d "$DATABASE" "$@"
}

value() {
    sql -At -c "$1"
}

rows_line() {
    echo "$(($(value "$2" 2>/dev/null || echo "$before") - before)) of $1 rows, $3 s"
}

# with_progress TOTAL QUERY STATEMENT: run a statement and show how many rows are done, as another session sees it by
# QUERY. On a signal the supervisor ends all.
with_progress() {
    before=$(value "$2")
    keep_saying rows_line "$1" "$2" 9>&- &
    rows_ticker=$!
    status=0
    sql -c "$3" >"$BUILD/step.log" 2>&1 || status=$?
    end_tree $rows_ticker
    clear_line
    [ $status = 0 ] || { cat "$BUILD/step.log"; die "the step failed"; }
    cat "$BUILD/step.log"
}

# shellcheck disable=SC2086 # lists of names
missing=$(missing_packages $BUILD_PACKAGES $PYTHON_PACKAGES)
cat <<BEGIN
lmtext on a real table, in about five minutes (--all: 20). What it takes:
   Debian packages: ${missing:-all are there}
   to download beside them: the model, 90 MB, and Debian's package descriptions, 40 MB (once)
   room: about 1 GB in $(made_folders)
BEGIN

# shellcheck disable=SC2086 # lists of names
need_packages $BUILD_PACKAGES $PYTHON_PACKAGES
say "building lmtext (a minute the first time) and starting a private PostgreSQL server"
sh scripts/cluster.sh running || : >"$BUILD/quickstart-started"
sh scripts/cluster.sh start

say "fetching the model all-MiniLM-L6-v2 (90 MB, once) and checking its SHA-256"
model=$(sh models/fetch.sh minilm)
staged=$(server_home)/models-demo
mkdir -p "$staged"
cp -RL "$model" "$staged/"
chmod -R a+rX "$staged"

say "reading Debian's package descriptions (40 MB, once)"
if [ ! -s "$BUILD/corpus/corpus.jsonl" ]; then
    : >"$BUILD/corpus.log"
    run_shown "$BUILD/corpus.log" python3 scripts/debian-corpus.py --out-dir "$BUILD/corpus" --langs en ||
        { tail -n 20 "$BUILD/corpus.log"; die "the descriptions could not be fetched"; }
fi

say "loading the table doc"
[ "$(sh scripts/cluster.sh psql -At -c "SELECT count(*) FROM pg_database WHERE datname = '$DATABASE'")" = 1 ] ||
    sh scripts/cluster.sh psql -q -c "CREATE DATABASE $DATABASE"
limit="LIMIT $ROWS"
[ "$ROWS" != all ] || limit=
sql <<SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
DROP TABLE IF EXISTS doc, doc_vector, doc_test, news, "nightly@job" CASCADE;
CREATE TEMP TABLE line (data jsonb);
\\copy line FROM '$BUILD/corpus/corpus.jsonl' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')
-- A sample that is the same every time: by the hash of the description.
CREATE TABLE doc AS
    SELECT row_number() OVER () AS id, data->>'name' AS package, data->>'section' AS section,
           data->>'body' AS body,
           ('x' || left(data->>'md5', 4))::bit(16)::int < 6554 AS is_test
    FROM (SELECT data FROM line WHERE data->>'section' IS NOT NULL
          ORDER BY right(data->>'md5', 8), data->>'name' $limit) sample;
-- What the classifier learns: sections with enough rows.
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

say "making an index of the vectors"
sql -c '\timing on' -c "CREATE INDEX ON doc_vector USING lmtext (embedding)"

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

say "making a semantic index straight on a text column, and searching with a filter"
sql -v model="$(value "SELECT 'minilm@' || max(version) FROM lmtext.models WHERE name = 'minilm'")" <<'SQL'
\timing on
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = :'model') WHERE is_test;
SELECT package, section, left(split_part(body, E'\n', 1), 56) AS description FROM doc
WHERE is_test AND section <> 'graphics' ORDER BY body <=> 'resize pictures' LIMIT 5;
SQL

# Statements in functions, since with few rows there is nothing to learn.
train() {
    say "training a classifier of sections on the stored vectors of the rows that are not kept for the test"
    # Versions of earlier runs would pile up.
    value "SELECT lmtext.drop_model('section@' || version) FROM lmtext.models WHERE name = 'section'" >/dev/null
    train_started=$(date +%s.%N)
    train_rows=$(value "SELECT count(*) FROM doc WHERE NOT is_test AND is_learnt")
    with_progress "$train_rows" "SELECT coalesce(sum(done), 0) FROM lmtext.train_runs WHERE state = 'running'" "CALL lmtext.train('section', \$\$
    SELECT embedding, section FROM doc JOIN doc_vector USING (id) WHERE NOT is_test AND is_learnt
    \$\$, '{\"task\": \"classification\", \"base\": \"minilm\"}');"
    train_seconds=$(echo "$(date +%s.%N) $train_started" | awk '{printf "%.1f", $1 - $2}')
    value "SELECT lmtext.deploy('section', max(version)) FROM lmtext.models WHERE name = 'section'" >/dev/null
}

evaluate() {
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
}

classify() {
    say "classifying new text by a job, which does what is new each time it runs"
    sql <<'SQL'
CREATE TABLE news (id int PRIMARY KEY, body text);
INSERT INTO news VALUES (1, 'a console game where you steer a rocket between asteroids'),
    (2, 'French translation files of the office suite');
SELECT lmtext.create_job('nightly', 'news', 'body', 'classify', 'section', 'section');
CALL lmtext.run_job('nightly');
INSERT INTO news VALUES (3, 'header files for developing programs that parse XML');
CALL lmtext.run_job('nightly');
SELECT run, status, total, done, errors FROM lmtext.job_runs WHERE job = 'nightly' ORDER BY run;
SELECT body, section FROM news ORDER BY id;
SQL
}

train_rows=0 train_seconds=0
labels=$(value "SELECT count(DISTINCT section) FROM doc WHERE NOT is_test AND is_learnt")
test_rows=$(value "SELECT count(*) FROM doc WHERE is_test AND is_learnt")
if [ "$labels" -ge 2 ]; then
    train
    if [ "$test_rows" -gt 0 ]; then evaluate; else echo "   no row was kept for a test: not evaluated"; fi
    classify
else
    say "no classifier is trained"
    echo "   $rows rows hold $labels sections with 10 rows or more; a classifier needs two: try --rows 500"
fi

say "memory and time"
sql -c "SELECT version, state, pg_size_pretty(bytes) AS shared_memory, pins, round(load_ms::numeric, 1) AS load_ms FROM lmtext.model_cache" \
    -c "SELECT cpu, instruction_level, os_threads AS threads_of_this_backend FROM lmtext.device"
echo "   embedded $rows rows in $embed_seconds s; trained on $train_rows rows in $train_seconds s; in all $(($(date +%s) - STARTED)) s"
cat <<DONE

The server is running. Three queries to try, each in a line of its own:

DONE
try="sh scripts/cluster.sh psql -d $DATABASE -c"
cat <<DONE
    $try "SELECT package, section FROM doc JOIN doc_vector USING (id) ORDER BY embedding <=> lmtext.embed('edit photos') LIMIT 5"
    $try "SELECT d.package FROM doc d JOIN doc_vector v USING (id) ORDER BY v.embedding <=> (SELECT embedding FROM doc_vector WHERE id = 1) LIMIT 5"
DONE
if [ "$labels" -ge 2 ]; then
    echo "    $try \"SELECT label, round(score::numeric, 2) FROM lmtext.class_scores('a chess game', 'section') LIMIT 3\""
else
    echo "    $try \"SELECT lmtext.tokenize('Embedding models tokenize text.', 'minilm')\""
fi
cat <<DONE

    psql               sh scripts/cluster.sh psql -d $DATABASE
    other programs     $(sh scripts/cluster.sh url $DATABASE)
    by TCP             sh scripts/cluster.sh start --port 54321, then sh scripts/cluster.sh url $DATABASE
    after a reboot     sh scripts/cluster.sh start
    stop               sh scripts/cluster.sh stop

It is a demo: fsync is off, so a crash of the machine may lose its data, and on this machine everybody who reaches its
socket is its superuser. Keep nothing in it. For a server of your own see Install in README.md.
DONE
