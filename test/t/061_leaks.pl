# 061_leaks.pl - what a session holds does not grow: after many embeds, failed imports, cancels, loads and
# unloads its private memory, memory contexts, descriptors, and the registry are what they were.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Utils;
use Cwd qw(abs_path);

# What the allocator keeps in pieces is no leak, but a bound on it makes the law simple: 1 MiB. It gives back large
# blocks and what is free at the heap's end at once, whatever it has seen.
my $bound = 1024 * 1024;
$ENV{MALLOC_MMAP_THRESHOLD_} = $ENV{MALLOC_TRIM_THRESHOLD_} = 128 * 1024;

my $node = start_node('leaks', conf => <<'CONF');
log_min_messages = fatal
max_connections = 20
CONF

my $another = variant($tiny, 2);
my $broken = abs_path(PostgreSQL::Test::Utils::tempdir()) . '/broken';
system("cp -R '$tiny' '$broken' && truncate -s -1 '$broken/model.safetensors'") == 0 or die 'no broken folder';
system("chmod -R a+rX '$broken'");

value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('tiny', '$tiny'), lmtext.import_model('ner', '$tiny-token'),
        lmtext.import_model('masks', '$tiny-mask', '{"task": "fill_mask"}'), lmtext.import_model('splade', '$tiny-splade'), lmtext.import_model('static', '$tiny/../static-st'),
        lmtext.import_model('late', '$tiny-late'), lmtext.import_model('weights', '$tiny/../sparse-static');
    SELECT lmtext.import_model('other', '@{[ variant($tiny, 1) ]}');
    CREATE TABLE doc AS SELECT i AS id, 'text number ' || i AS body, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS topic
        FROM generate_series(1, 1000) i;
    ANALYZE doc;
    CALL lmtext.train('topic', 'SELECT body, topic FROM doc WHERE id < 20', '{"base": "tiny", "hold_out": 0}');
    CREATE PROCEDURE embeds(times int) LANGUAGE plpgsql AS \$\$
    BEGIN
        FOR i IN 1 .. times LOOP
            PERFORM sum((lmtext.embed(body, 'tiny'))[1]) FROM doc;
            COMMIT;
        END LOOP;
    END \$\$;
    CREATE PROCEDURE attempts(times int, statement text, state text) LANGUAGE plpgsql AS \$\$
    BEGIN
        FOR i IN 1 .. times LOOP
            BEGIN
                EXECUTE statement;
                RAISE EXCEPTION 'no error' USING ERRCODE = 'XX999';
            EXCEPTION WHEN OTHERS THEN
                IF SQLSTATE <> state THEN RAISE; END IF;
            END;
        END LOOP;
    END \$\$;
    CREATE PROCEDURE loads(times int) LANGUAGE plpgsql AS \$\$
    BEGIN
        FOR i IN 1 .. times LOOP
            PERFORM lmtext.load_model('other');
            COMMIT;
            PERFORM lmtext.unload_model('other');
            COMMIT;
        END LOOP;
    END \$\$;
});

my $session = session();
my $pid = $session->query('SELECT pg_backend_pid()');

# Bytes that this process has for itself beyond its memory contexts, touched or not; bytes in use in the contexts; bytes
# that lmtext's contexts have, in use or not; descriptors; mapped segments. What the server remembers of tables is its
# own, and each CREATE TABLE and DROP adds to it, failed ones too.
sub held
{
    my ($contexts, $own_contexts, $total) = split /\|/, say_in($session, q{
        SELECT sum(used_bytes) FILTER (WHERE name NOT IN ('CacheMemoryContext', 'smgr relation table', 'MdSmgr', 'PgStat Pending')),
            sum(total_bytes) FILTER (WHERE name ^@ 'lmtext'), sum(total_bytes)
        FROM pg_backend_memory_contexts});
    open my $status, '<', "/proc/$pid/status" or die "status of $pid: $!";
    my ($data) = map { /^VmData:\s+(\d+) kB/ ? $1 * 1024 : () } <$status>;
    my @descriptors = glob("/proc/$pid/fd/*");
    # Files of tables are the server's to keep open.
    my @own = grep { (readlink($_) // '') !~ m{/pgdata/(base|global|pg_wal|pg_xact|pg_subtrans)/|^socket:|^anon_inode|^pipe:} } @descriptors;
    open my $maps, '<', "/proc/$pid/maps" or die "maps of $pid: $!";
    my $segments = grep { m{/dev/shm/PostgreSQL\.} } <$maps>;
    return { beyond => $data - $total, contexts => $contexts, own => $own_contexts, descriptors => scalar(@own), segments => $segments };
}

# Run it a few times to warm up (in vain where it is a leak: what counts is the growth after that), then
# all the times.
sub flat
{
    my ($what, $times, $run) = @_;
    my $warm = $times > 50 ? int($times / 10) : 5;
    $run->($warm);
    my $before = held();
    my $slots = value('SELECT count(*) FROM lmtext.model_cache');
    $run->($times);
    my $after = held();
    my %grown = map { $_ => $after->{$_} - $before->{$_} } keys %$after;
    cmp_ok($grown{beyond}, '<=', $bound, "$times $what: memory beyond the contexts grows by at most 1 MiB ($grown{beyond})");
    cmp_ok($grown{contexts}, '<=', $bound / 8, "$times $what: memory in use stays ($grown{contexts})");
    cmp_ok($grown{own}, '<=', $bound, "$times $what: memory of lmtext's contexts grows by at most 1 MiB ($grown{own})");
    is($grown{descriptors}, 0, "$times $what: no descriptor more");
    is($grown{segments}, 0, "$times $what: no segment more");
    is(value('SELECT count(*) FROM lmtext.model_cache'), $slots, "$times $what: the registry is as before");
    return;
}

sub quiet
{
    my ($sql) = @_;
    my $said = say_in($session, $sql);
    die $said if $said =~ /ERROR|FATAL/;
    return;
}

# Statements by themselves, each made of its number; as many at once as go through the pipe to psql. What they said.
sub each_of
{
    my ($times, $statement) = @_;
    my $said = '';
    for (my $first = 1; $first <= $times; $first += 50)
    {
        my $last = $first + 49 < $times ? $first + 49 : $times;
        $said .= say_in($session, join('', map { $statement->($_) . ";\n" } $first .. $last) . 'SELECT 1 WHERE false');
    }
    return $said;
}

sub quiet_each
{
    my $said = each_of(@_);
    die $said if $said =~ /ERROR|FATAL/;
    return;
}

# ---- Embeds ----

flat('embeds of rows', effort(10_000, 30_000, 100_000), sub { quiet('CALL embeds(' . int($_[0] / 1000 + 0.5) . ')') });
flat('embeds of one text', effort(300, 1_000, 20_000), sub {
    quiet_each($_[0], sub { "SELECT lmtext.embed('words $_[0]', 'tiny') IS NULL" }) });
say_in($session, q{PREPARE p(text) AS SELECT lmtext.embed($1, 'tiny') FROM generate_series(1, 3)});
flat('embeds of a prepared statement', effort(300, 1_000, 20_000), sub {
    quiet_each($_[0], sub { "EXECUTE p('words $_[0]')" }) });
flat('arrays, classifications and tokens', effort(20, 100, 1000), sub {
    quiet_each($_[0], sub { qq{SELECT lmtext.embed(array_agg(body), 'tiny') IS NULL, lmtext.classify(array_agg(body), 'topic') IS NULL
        FROM doc WHERE id <= 50; SELECT count(*) FROM doc, lmtext.class_scores(body, 'topic') WHERE id <= 20;
        SELECT count(*) FROM doc, lmtext.tokens(body, 'tiny') WHERE doc.id <= 20;
        SELECT id FROM doc WHERE id <= 20 ORDER BY lmtext.similarity(body, 'words $_[0]', 'tiny') LIMIT 1} }) });

flat('tags, entities, masks and hidden states', effort(20, 100, 1000), sub {
    quiet_each($_[0], sub { qq{SELECT count(*) FROM doc, lmtext.tag(body, 'ner') WHERE id <= 50;
        SELECT count(*) FROM doc, lmtext.entities(body, 'ner', 'average') WHERE id <= 50;
        SELECT count(*) FROM (SELECT array_agg(body) AS bodies FROM doc WHERE id <= 50) x, lmtext.entities(bodies, 'ner', 'max');
        SELECT count(*) FROM doc, lmtext.fill_mask(body || ' [MASK] $_[0]', 'masks', 9) WHERE id <= 20;
        SELECT count(*) FROM doc, lmtext.hidden_states(body, 'tiny', 1) WHERE id <= 50;
        SELECT count(lmtext.sparse(body, 'splade')), sum(lmtext.sparse_similarity('$_[0]', body, 'splade')) FROM doc WHERE id <= 50;
        SELECT lmtext.sparse_vector(array_agg(body), 'splade') FROM doc WHERE id <= 50;
        SELECT lmtext.sparse_vector(array_agg(body), 'weights'), lmtext.sparse_similarity('$_[0]', array_agg(body), 'weights') FROM doc WHERE id <= 50;
        SELECT count(lmtext.sparse(body, 'weights')) FROM doc WHERE id <= 50;
        SELECT count(lmtext.embed_query(body, 'tiny')), count(lmtext.embed_document(body, 'static')) FROM doc WHERE id <= 50} }) });

flat('token vectors and their scores', effort(20, 100, 1000), sub {
    quiet_each($_[0], sub { qq{SELECT count(lmtext.token_vectors(body, 'late')), sum(lmtext.maxsim('words $_[0]', body, 'late')) FROM doc WHERE id <= 50;
        SELECT sum(cardinality(v.vectors)) FROM (SELECT array_agg(body) AS bodies FROM doc WHERE id <= 50) x, lmtext.token_vectors(bodies, 'late') v;
        SELECT lmtext.maxsim('words $_[0]', array_agg(body), 'late') FROM doc WHERE id <= 50;
        SELECT sum(lmtext.maxsim('words $_[0]', v, 'late')), sum(lmtext.maxsim(v, v))
        FROM (SELECT lmtext.token_vectors(body, 'late') AS v FROM doc WHERE id <= 20 OFFSET 0) x} }) });

# ---- Errors ----

# As many in each transaction, whose end frees what the server keeps of each.
flat('failed imports', effort(50, 300, 1_000), sub {
    quiet_each($_[0] / 5, sub { "CALL attempts(5, 'SELECT lmtext.import_model(''b'', ''$broken'')', '22P03')" }) });
flat('failed imports, each a transaction', effort(30, 100, 1_000), sub {
    my $said = each_of($_[0], sub { "SELECT lmtext.import_model('b', '$broken')" });
    my $failed = () = $said =~ /22P03/g;
    die "$failed of $_[0] imports failed" if $failed != $_[0] });
flat('errors of embed in subtransactions', effort(300, 1_000, 10_000), sub {
    quiet(qq{CALL attempts($_[0], 'SELECT lmtext.embed(''a'', ''tiny'', prompt_name => ''none'')', '42704')}) });
flat('errors of fill_mask in subtransactions', effort(300, 1_000, 10_000), sub {
    quiet(qq{CALL attempts($_[0], 'SELECT lmtext.fill_mask(''a'', ''masks'')', '22023')}) });
flat('errors of maxsim in subtransactions', effort(300, 1_000, 10_000), sub {
    quiet(qq{CALL attempts($_[0], 'SELECT lmtext.maxsim(''a'', ''{{1,2},{3,4}}''::real[], ''late'')', '22000')}) });
flat('names of no model', effort(300, 1_000, 10_000), sub {
    quiet(qq{CALL attempts($_[0], 'SELECT lmtext.embed(''a'', ''none'')', '42704')}) });

# ---- Cancels ----

# Statements that take much longer than what cancels them. Buffers for tokens stay for the next text, up to a
# million: the first run makes them as large as they get.
say_in($session, q{CREATE TABLE long AS SELECT repeat('a b c d e f g h ', 60000) AS body});
my %kinds;
sub cancels
{
    my ($statement, $times) = @_;
    for my $i (1 .. $times)
    {
        my $limit = 1 + $i % 7;
        my $said = say_in($session, "SET statement_timeout = $limit; $statement; SET statement_timeout = 0");
        $kinds{ $said =~ /57014/ ? 'cancelled' : 'done' }++;
        say_in($session, 'SET statement_timeout = 0');
    }
}
my $embed = q{SELECT lmtext.embed(array_agg(body), 'tiny') IS NULL FROM doc, generate_series(1, 20)};
my $tokens = q{SELECT lmtext.count_tokens(body, 'tiny') FROM long, generate_series(1, 50)};
flat('cancels of embed', effort(40, 200, 1_000), sub { cancels($embed, $_[0]) });
quiet(q{SELECT lmtext.count_tokens(body, 'tiny') FROM long});
flat('cancels of tokenize', effort(40, 200, 1_000), sub { cancels($tokens, $_[0]) });
cmp_ok($kinds{cancelled}, '>=', ($kinds{done} // 0), "most of them were cancels ($kinds{cancelled})");
flat('cancels of a load', effort(20, 100, 1_000), sub {
    cancels(q{SELECT lmtext.unload_model('tiny'); SELECT lmtext.load_model('tiny')}, $_[0]);
    # On a busy machine the last one may have been cancelled too.
    quiet(q{SELECT lmtext.load_model('tiny')}) });

# ---- Loads ----

flat('loads and unloads', effort(100, 300, 1_000), sub { quiet("CALL loads($_[0])") });
flat('changes of the table', effort(100, 300, 1_000), sub {
    quiet_each($_[0], sub { q{GRANT SELECT ON "tiny@1" TO PUBLIC; SELECT lmtext.embed('a', 'tiny') IS NULL} }) });
flat('imports, uses and drops', effort(10, 50, 500), sub {
    quiet_each($_[0], sub { qq{SELECT lmtext.import_model('c', '$another'); SELECT lmtext.embed('a', 'c') IS NULL;
        SELECT lmtext.drop_model('c'); SELECT lmtext.embed('a', 'tiny') IS NULL} }) });
is(say_in($session, q{SELECT lmtext.embed('a', 'tiny') = lmtext.embed('a', 'tiny@1'::regclass)}), 't', 'the session still computes');

$session->quit;
safe('after all of it');
done();
