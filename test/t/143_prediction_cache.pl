# 143_prediction_cache.pl - the prediction cache: the same results as without it, of the same version, by whoever may use that;
# counts that are exact under concurrency and eviction; what becomes of it by reloads, kills, a standby and a lack of memory.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('predictions', streaming => 1, conf => <<'CONF');
max_connections = 60
shared_buffers = 32MB
lmtext.prediction_cache_size = 8MB
CONF
my $folders = "$ENV{LMTEXT_SOURCE_DIR}/models/tiny";

value(qq{CREATE EXTENSION lmtext;
    CREATE TABLE doc AS SELECT i AS id, translate(i::text, '0123456789', 'abcdefghij') || ' sat on the mat' AS body FROM generate_series(1, 3000) i;
    GRANT SELECT ON doc TO PUBLIC;
    ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0});
my %folder = (vectors => 'bert', class => 'bert-sequence', ner => 'bert-token', masks => 'bert-mask', splade => 'bert-splade',
    late => 'bert-late', qa => 'bert-answer', cross => 'bert-cross', next => 'bert-next', nli => 'bert-nli');
value(join ';', map { "SELECT lmtext.import_model('$_', '$folders/$folder{$_}'" . ($_ eq 'masks' ? q{, '{"task": "fill_mask"}')} : ')') } sort keys %folder);

# Sums of all versions and functions, or of some: entries, hits, misses, evictions.
sub counts
{
    my ($where) = @_;
    return value('SELECT coalesce(sum(entries), 0), coalesce(sum(hits), 0), coalesce(sum(misses), 0), coalesce(sum(evictions), 0) '
          . 'FROM lmtext.prediction_cache WHERE ' . ($where // 'true'));
}

# What a statement gives in a session of its own, and how many texts it computes there.
sub run_it
{
    my ($sql, $before) = @_;
    my @lines = split /\n/, value(($before // '') . "; $sql; SELECT texts FROM lmtext.session_counters()");
    my $texts = pop @lines;
    return (join("\n", @lines), $texts);
}

# ---- Each kind of result, as it is computed without the cache ----

my %call = (
    embed => q{SELECT lmtext.embed('the cat', 'vectors')},
    class_scores => q{SELECT lmtext.class_scores('the cat', 'class')},
    tag => q{SELECT lmtext.tag('the cat sat', 'ner')},
    entities => q{SELECT lmtext.entities('the cat sat', 'ner')},
    fill_mask => q{SELECT lmtext.fill_mask('the [MASK] sat', 'masks')},
    sparse => q{SELECT lmtext.sparse('the cat', 'splade')},
    token_vectors => q{SELECT lmtext.token_vectors('the cat', 'late')},
    answer => q{SELECT lmtext.answer('the cat?', 'the cat sat on the mat', 'qa')},
    rerank => q{SELECT lmtext.rerank('the cat', 'on the mat', 'cross')},
    next_sentence => q{SELECT lmtext.next_sentence('the cat', 'on the mat', 'next')},
    entails => q{SELECT lmtext.entails('the cat', 'on the mat', 'nli')},
    zero_shot => q{SELECT lmtext.zero_shot('the cat', '{cat,mat}', 'nli')},
    explain => q{SELECT lmtext.explain('the cat', 'class')},
);
for my $function (sort keys %call)
{
    my ($plain, $texts) = run_it($call{$function}, 'SET lmtext.use_prediction_cache = off');
    ok($texts > 0, "$function without the cache computes");
    is(counts("function = '$function'"), '0|0|0|0', 'and leaves nothing');
    my ($first, $first_texts) = run_it($call{$function});
    my ($again, $again_texts) = run_it($call{$function});
    is("$first_texts $first", "$texts $plain", "$function with it is the same");
    is("$again_texts $again", "0 $plain", 'also where it is found');
    is(counts("function = '$function'"), '1|1|1|0', 'as the counts say');
}
is((run_it(q{SELECT lmtext.classify('the cat', 'class'), lmtext.similarity('the cat', 'the cat', 'vectors')}))[1], 0, 'one function finds what another has kept');
is((run_it(q{SELECT lmtext.hidden_states('the cat', 'vectors')}))[1], 1, 'hidden states are computed each time');
is(value(q{SELECT count(*) FROM lmtext.prediction_cache WHERE database <> 'postgres' OR model IS NULL OR version <> model::text AND '"' || version || '"' <> model::text}),
    0, 'each row names its version');

# ---- Nothing is served for what is not the same ----

{
    my %seen;
    my @ways = (
        q{lmtext.embed('one way', 'vectors')}, q{lmtext.embed('one way ', 'vectors')}, q{lmtext.embed('one way', 'vectors', dimensions => 8)},
        q{lmtext.embed('one way', 'vectors', prompt => 'a ')}, q{lmtext.embed('a one way', 'vectors')}, q{lmtext.embed('way', 'vectors', prompt => 'one ')},
        q{lmtext.embed('one way', 'vectors', prompt => '')}, q{lmtext.token_vectors('one way', 'late', 'query')}, q{lmtext.token_vectors('one way', 'late')},
        q{lmtext.embed('one way', '"vectors@1"'::regclass, on_long => 'mean')}, q{lmtext.embed('one way', '"vectors@1"'::regclass, on_long => 'error')});
    is((run_it("SELECT $_"))[1], 1, "$_ is computed") for @ways;
    is((run_it("SELECT $_"))[1], 0, "$_ is found") for @ways;
    is((run_it("SELECT $ways[0]", 'SET lmtext.isa = scalar'))[1], 1, 'a result of another instruction level is another') if value('SELECT instruction_level FROM lmtext.device') ne 'scalar';
    is((run_it(q{SELECT lmtext.zero_shot('the cat', '{mat,cat}', 'nli')}))[1] > 0, 1, 'of other labels too');
    value('CREATE DATABASE other');
    value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('vectors', '$folders/bert'); SELECT lmtext.embed('one way', 'vectors')}, 'other');
    is(value(q{SELECT entries, hits, misses FROM lmtext.prediction_cache WHERE database = 'other'}), '1|0|1', 'and of another database');
    is(value(q{SELECT model IS NULL, version FROM lmtext.prediction_cache WHERE database = 'other'}), 't|vectors@1', 'where a version has its name only');
}

# ---- Versions: another's result is never served ----

{
    my $vector = q{SELECT lmtext.embed('the cat sat on the mat and on the mat', 'moving')};
    my $plain = 'SET lmtext.use_prediction_cache = off';
    value(qq{SELECT lmtext.import_model('moving', '$folders/bert'), lmtext.import_model('moving', '$folders/bert', '{"max_tokens": 4}')});
    my (%wanted, %got);
    for my $version (1, 2, 1, 2)
    {
        value("SELECT lmtext.deploy('moving', $version)");
        ($wanted{$version}) = run_it($vector, $plain);
        ($got{$version}) = run_it($vector);
        is($got{$version}, $wanted{$version}, "version $version has its own");
    }
    isnt($wanted{1}, $wanted{2}, 'which differ');
    # In one transaction that makes, uses and takes back; and under the Oid of a table whose rows were replaced.
    my $session = session();
    say_in($session, "BEGIN; SELECT lmtext.import_model('moving', '$folders/bert-silu'); SELECT lmtext.deploy('moving', 3)");
    my $third = say_in($session, $vector);
    isnt($third, $wanted{$_}, 'a third has its own as well') for 1, 2;
    $session->query('ROLLBACK');
    is(say_in($session, $vector), $wanted{2}, 'and goes with its transaction');
    $session->query(q{SELECT lmtext.deploy('moving', 1)});
    is(say_in($session, $vector), $wanted{1}, 'the next statement has the version that is deployed then');
    say_in($session, "SELECT lmtext.drop_model('moving'); SELECT lmtext.import_model('moving', '$folders/bert-silu')");
    is(say_in($session, $vector), $third, 'and so has a new version under the old name');
    is((run_it($vector))[1], 0, 'whose contents had been seen: it is found');
    $session->quit;
    # A head, whose base stays.
    value(q{CALL lmtext.train('parity', 'SELECT body, (id % 2)::text FROM doc WHERE id <= 40', '{"base": "vectors"}')});
    my $scores = q{SELECT lmtext.class_scores('the cat', 'parity')};
    my ($first) = run_it($scores);
    value(q{CALL lmtext.train('parity', 'SELECT body, (id % 3)::text FROM doc WHERE id <= 40', '{"base": "vectors"}'); SELECT lmtext.deploy('parity', 2)});
    my ($second) = run_it($scores);
    is($second, (run_it($scores, $plain))[0], 'a head that was trained again has its own scores');
    isnt($first, $second, 'which differ');
}

# ---- Statistics: found texts are rows, and calls that found all are cached ----

{
    value(q{SELECT lmtext.embed(body, 'vectors') FROM doc WHERE id BETWEEN 1 AND 40; SELECT lmtext.stats_reset()});
    value(q{SET lmtext.batch = off; SELECT lmtext.embed(body, 'vectors') FROM doc WHERE id BETWEEN 1 AND 50});
    is(value(q{SELECT calls, rows, tokens > 0, cached FROM lmtext.stats WHERE function = 'embed' AND database = 'postgres'}), '10|50|t|40', 'row by row');
    value(q{SELECT lmtext.stats_reset(); SELECT lmtext.embed(body, 'vectors') FROM doc WHERE id BETWEEN 1 AND 50});
    is(value(q{SELECT calls, rows, tokens, cached FROM lmtext.stats WHERE function = 'embed' AND database = 'postgres'}), '0|50|0|50', 'in batches ahead');
    value(q{SELECT lmtext.stats_reset(); SELECT lmtext.embed(array_agg(body), 'vectors') FROM doc WHERE id BETWEEN 1 AND 60});
    value(q{SELECT lmtext.embed(array_agg(body), 'vectors') FROM doc WHERE id BETWEEN 1 AND 60});
    is(value(q{SELECT calls, rows, cached FROM lmtext.stats WHERE function = 'embed' AND database = 'postgres'}), '1|120|1', 'as an array');
    is((run_it(q{SELECT count(lmtext.embed(body, 'vectors')) FROM doc WHERE id BETWEEN 41 AND 70}))[1], 10, 'ten of a statement are left');
    value(q{SELECT lmtext.stats_reset(); SELECT lmtext.embed(body, 'vectors') FROM doc WHERE id BETWEEN 61 AND 90});
    is(value(q{SELECT calls + cached, rows FROM lmtext.stats WHERE function = 'embed' AND database = 'postgres'}), '30|30', 'a batch of both');
    is(state_of(q{SET lmtext.on_long = error; SELECT lmtext.embed(ARRAY['a sat on the mat', 'new', 'new', 'x' || repeat(' cat', 50)], 'vectors')}), '54000', 'a batch that fails fails');
    is(value(q{SELECT count(*) FROM doc, LATERAL (SELECT lmtext.embed(body, 'vectors') AS found) f WHERE id <= 90
        AND found IS DISTINCT FROM (SELECT array_agg(v) FROM unnest(lmtext.embed(ARRAY[body, body], 'vectors')) WITH ORDINALITY u (v, n) WHERE n <= cardinality(found))}), 0, 'all are what they were');
    safe('results and counts');
}

# ---- Roles ----

{
    value(q{CREATE ROLE reader LOGIN; CREATE ROLE stranger LOGIN; CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
        SELECT lmtext.grant_model('vectors', 'reader')});
    is(state_of(q{SET ROLE stranger; SELECT lmtext.embed('the cat', 'vectors')}), '42501', 'what is kept is not for who may not use the model');
    is((run_it(q{SELECT lmtext.embed('the cat', 'vectors')}, 'SET ROLE reader'))[1], 0, 'who may finds it');
    is(state_of('SET ROLE reader; SELECT lmtext.prediction_cache_reset()'), '42501', 'and cannot empty it');
    is(value('SET ROLE stranger; SELECT count(*) FROM lmtext.prediction_cache'), 0, 'the view shows nobody other models');
    is(value('SET ROLE reader; SELECT string_agg(DISTINCT version, $$,$$) FROM lmtext.prediction_cache'), 'vectors@1', 'but those that may be used');
    ok(value('SET ROLE watcher; SELECT count(DISTINCT version) FROM lmtext.prediction_cache') > 5, 'and members of pg_monitor all');
}

# ---- Eviction: as much as fits, and what is used stays ----

sub reload
{
    my ($size) = @_;
    value("LOAD 'lmtext'; ALTER SYSTEM SET lmtext.prediction_cache_size = '$size'");
    value('SELECT pg_reload_conf()');
    # A session that begins now has what the postmaster has read.
    return wait_for("SELECT current_setting('lmtext.prediction_cache_size', true) = '$size'", "the size is $size");
}

{
    reload('1MB');
    is(value('SELECT bytes, used, entries FROM lmtext.prediction_cache_info'), '1048576|0|0', 'another size begins empty');
    value('SELECT lmtext.prediction_cache_reset()');
    is(counts(), '0|0|0|0', 'and without counts');
    # More results, of one block or more, than the four thousand blocks. One is asked for again and again.
    value(q{SELECT lmtext.embed('hot', 'vectors')});
    for my $part (1 .. 40)
    {
        value("SELECT lmtext.embed(array_agg(body || '$part'), 'vectors') FROM doc WHERE id % 20 = $part % 20; SELECT lmtext.embed('hot', 'vectors')");
    }
    my ($entries, $hits, $misses, $evictions) = split /\|/, counts();
    is($entries + $evictions, $misses, 'all that was computed was kept, once');
    ok($evictions > 1000, "and most of it went ($evictions)");
    is(value('SELECT used <= bytes AND used > bytes / 2, entries = (SELECT sum(entries) FROM lmtext.prediction_cache) FROM lmtext.prediction_cache_info'), 't|t',
        'the cache is full, and no more');
    is((run_it(q{SELECT lmtext.embed('hot', 'vectors')}))[1], 0, 'what was used all the time is there');
    # A result that is longer than a quarter of a partition, which is 64 kB here, is not kept: twenty fills for each of 200 masks.
    value(qq{SELECT lmtext.import_model('wide', '$folders/bert-splade-plain', '{"task": "fill_mask", "max_tokens": 220}')});
    my $fills = q{SELECT count(*) FROM lmtext.fill_mask(repeat('[MASK] ', 200), 'wide', %d)};
    is((run_it(sprintf $fills, 20))[0], 4000, 'a long result') for 1 .. 2;
    is(counts("function = 'fill_mask'"), '0|0|2|0', 'is computed each time');
    is((run_it(sprintf $fills, 2))[0], 400, 'one of several blocks') for 1 .. 2;
    is(counts("function = 'fill_mask'"), '1|1|3|0', 'is found');
}

# ---- Many sessions at once: exact counts, right results ----

{
    value(q{CREATE TABLE wanted AS SELECT id, body, NULL::real[] AS vector FROM doc WHERE id <= 3000});
    value(q{SET lmtext.use_prediction_cache = off; UPDATE wanted SET vector = lmtext.embed(body, 'vectors')});
    value('SELECT lmtext.prediction_cache_reset()');
    my $rounds = effort(4, 10, 60);
    my @sessions = map { session() } 1 .. 6;
    my $wrong = "SET lmtext.batch = off; SELECT count(*) FROM (SELECT body, vector FROM (SELECT 1 + (i * 7919 + %d * 131) %% 3000 AS id
        FROM generate_series(1, 1500) i) n JOIN wanted USING (id) OFFSET 0) w WHERE lmtext.embed(body, 'vectors') IS DISTINCT FROM vector;";
    for my $round (1 .. $rounds)
    {
        begin_in($sessions[$_], sprintf($wrong, $round * 10 + $_)) for 0 .. $#sessions;
        is(join(' ', map { end_in($_) =~ /(\d+)/ ? $1 : 'none' } @sessions), '0 0 0 0 0 0', 'six sessions are right') or last;
    }
    my ($entries, $hits, $misses, $evictions) = split /\|/, counts();
    is($hits + $misses, 6 * 1500 * $rounds, 'each text was found or missed');
    ok($entries + $evictions <= $misses, 'a miss is kept once at most');
    is(value(q{SELECT sum(entries) FROM lmtext.prediction_cache}), value('SELECT entries FROM lmtext.prediction_cache_info'), 'entries add up');
    is(value(q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0;
        SELECT count(*) FROM wanted WHERE lmtext.embed(body, 'vectors') IS DISTINCT FROM vector}), 0, 'so are parallel workers');
    $_->quit for @sessions;
    safe('many sessions');
}

# ---- The size changes under sessions ----

{
    my $session = session();
    my $other = session();
    say_in($_, q{SELECT lmtext.embed('the cat', 'vectors')}) for $session, $other;
    reload('2MB');
    is(value('SELECT bytes FROM lmtext.prediction_cache_info'), 2097152, 'a new size');
    say_in($session, q{SELECT lmtext.embed('a new cat', 'vectors')});
    is((run_it(q{SELECT lmtext.embed('a new cat', 'vectors')}))[1], 0, 'an older session keeps in the new memory');
    reload('0');
    is(say_in($session, q{SELECT (lmtext.embed('a new cat', 'vectors'))[1] IS NOT NULL}), 't', 'off: a session computes');
    is(value('SELECT bytes FROM lmtext.prediction_cache_info'), 0, 'and has given the memory back');
    reload('2MB');
    is(say_in($other, q{SELECT (lmtext.embed('a new cat', 'vectors'))[1] IS NOT NULL}), 't', 'one that was idle meanwhile goes on');
    is((run_it(q{SELECT lmtext.embed('a new cat', 'vectors')}))[1], 0, 'with the others');
    is(value('SELECT lmtext.prediction_cache_reset(); SELECT count(*) FROM lmtext.prediction_cache'), "\n0", 'emptied');
    is(say_in($other, q{SELECT (lmtext.embed('a new cat', 'vectors'))[1] IS NOT NULL}), 't', 'it is used again');
    is(counts(), '1|0|1|0', 'from the beginning');
    is(state_of(q{LOAD 'lmtext'; ALTER SYSTEM SET lmtext.prediction_cache_size = '100kB'}), '22023', 'too little is refused');
    is(state_of(q{LOAD 'lmtext'; SET lmtext.prediction_cache_size = '2MB'}), '55P02', 'and a size for a session');
    $_->quit for $session, $other;
}

# ---- Memory that cannot be had ----

{
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    value('CHECKPOINT');
    value('SELECT lmtext.prediction_cache_reset()');
    say_in($session, q{SELECT lmtext.load_model('vectors')});
    reload('4MB');
    system_or_bail('prlimit', "--pid=$pid", '--fsize=65536:');
    is(say_in($session, q{SELECT (lmtext.embed('the cat', 'vectors'))[1] IS NOT NULL}), 't', 'without memory a session computes');
    like(say_in($session, 'SELECT obstacle FROM lmtext.prediction_cache_info'), qr/shared memory|resize/, 'and the view says why');
    is(say_in($session, q{SELECT (lmtext.embed('the cat', 'vectors'))[1] IS NOT NULL}), 't', 'at each call');
    is((run_it(q{SELECT lmtext.embed('the cat', 'vectors')}))[1], 1, 'another session makes it');
    is(say_in($session, q{SELECT obstacle IS NULL, bytes FROM lmtext.prediction_cache_info}), 't|4194304', 'and this one finds it');
    $session->quit;
    safe('without memory');
}

# ---- More versions than the table of counts has places ----

{
    value('SELECT lmtext.prediction_cache_reset()');
    value(qq{SELECT lmtext.import_model('copy' || i, '$folders/bert') FROM generate_series(1, 130) i});
    value(q{SELECT lmtext.embed('copy ' || i, 'copy' || i) FROM generate_series(1, 130) i});
    my ($entries, $hits, $misses, $evictions) = split /\|/, counts();
    ok($entries < 128 && $entries > 0, "the cache has started over: $entries");
    is((run_it(q{SELECT lmtext.embed('copy 130', 'copy130')}))[1], 0, 'and has the last');
    is((run_it(q{SELECT lmtext.embed('copy 130', 'copy1')}))[1], 0, 'which another version of the same contents finds');
    value(q{SELECT lmtext.drop_model('copy' || i) FROM generate_series(1, 130) i});
    is(value(q{SELECT count(*) FROM lmtext.prediction_cache WHERE model::text ~ 'copy'}), 0, 'dropped versions are named, but no models');
}

# ---- Kills, cancels ----

{
    my $session = session();
    my $pid = begin_in($session, q{SELECT count(lmtext.embed(body || i, 'vectors')) FROM doc, generate_series(1, 1000) i;});
    wait_for(q{SELECT sum(entries) > 50 FROM lmtext.prediction_cache}, 'a long statement keeps as it goes');
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($session), qr/57014/, 'it is cancelled');
    is(say_in($session, q{SELECT (lmtext.embed('the cat', 'vectors'))[1] IS NOT NULL}), 't', 'and the session goes on');
    $session->quit;
    safe('a cancel');
    for my $round (1 .. effort(2, 5, 20))
    {
        my $victim = session();
        my $killed = begin_in($victim, q{SELECT count(lmtext.embed(body || i, 'vectors')) FROM doc, generate_series(1, 1000) i;});
        wait_for(q{SELECT coalesce(sum(entries), 0) > 20 FROM lmtext.prediction_cache}, 'results are kept');
        crash($killed);
        eval { $victim->quit };
        expect_restart();
        is(counts(), '0|0|0|0', 'after a crash the cache is empty');
        is((run_it(q{SELECT lmtext.embed('the cat', 'vectors')}))[1], 1, 'and computes');
        is((run_it(q{SELECT lmtext.embed('the cat', 'vectors')}))[1], 0, 'and keeps');
    }
    safe('kills');
}

# ---- A standby has its own ----

{
    $node->backup('base');
    my $standby = PostgreSQL::Test::Cluster->new('predictions_standby');
    $standby->init_from_backup($node, 'base', has_streaming => 1);
    $standby->start;
    $node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
    my $vector = q{SELECT lmtext.embed('the cat', 'vectors')};
    my ($wanted) = run_it($vector);
    adopt_node($standby);
    is(counts(), '0|0|0|0', 'a standby begins with nothing');
    is(join(' ', run_it($vector)), "$wanted 1", 'computes');
    is(join(' ', run_it($vector)), "$wanted 0", 'and finds');
    is(value('SELECT pg_is_in_recovery()'), 't', 'all that without writing');
    $standby->promote;
    is(join(' ', run_it($vector)), "$wanted 0", 'also when it is promoted');
    use_node($node);
}

done();
