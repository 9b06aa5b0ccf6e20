# 151_search.pl - searches and chunks through dump and restore, in read-only transactions, cancelled, and with several writers of one document.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('search', conf => "autovacuum = off\nlmtext.embedding_model = 'public.m'\n");
my $found = q{SELECT string_agg(key || ' ' || chunk || ' ' || content || ' ' || round(score::numeric, 4), E'\n') FROM lmtext.search_chunks('doc_chunks', 'text 7', 3)};
my $cut = q{SELECT count(*) FROM lmtext.search('doc', 'v', 'text 7. More of it!', 5, cutoff => 'auto')};

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny'), lmtext.import_model('minilm', '$real');
CREATE ROLE reader;
GRANT SELECT (file) ON "m\@1" TO reader;
CREATE TABLE doc (id int PRIMARY KEY, body text, v real[]);
GRANT SELECT ON doc TO reader;
CREATE TRIGGER embed BEFORE INSERT OR UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm\@1');
INSERT INTO doc SELECT i, 'text ' || i || '. More of it!' FROM generate_series(1, 40) i;
SELECT lmtext.create_chunks('doc', 'body', max_tokens => 6);
SELECT lmtext.create_chunks('doc', 'body', 'by_job', embedding => 'job');
SELECT lmtext.calibrate_search('doc', 'v');
SQL

# ---- Read only, and cancelled ----

is(value("BEGIN READ ONLY; $cut; COMMIT"), 5, 'a search with a cut in a transaction that only reads');
like(value($found), qr/^\d+ 1 text \d+\. /, 'and one of chunks');
value("CREATE TABLE big AS SELECT i AS id, repeat('many words ' || i || ' ', 40) AS body FROM generate_series(1, 20000) i");
for my $mode ('exact', 'semantic')
{
    is(state_of("SET lmtext.embedding_model = 'minilm'; SET statement_timeout = '300ms'; SELECT lmtext.search('big', 'body', 'words', mode => '$mode')"),
        '57014', "a search of texts is cancelled: $mode");
}

# ---- Writers of one document ----

{
    my @writers = map { session() } 1 .. 2;
    $writers[0]->query("BEGIN; UPDATE doc SET body = 'First one. Of two. Of three. Of four.' WHERE id = 1");
    begin_in($writers[1], "UPDATE doc SET body = 'Second one. Alone.' WHERE id = 1;");
    $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) or die 'nobody waits';
    $writers[0]->query('COMMIT');
    end_in($writers[1]);
    is(value(q{SELECT string_agg(content, '|' ORDER BY chunk) FROM doc_chunks WHERE id = 1}),
        value(q{SELECT string_agg(c.content, '|' ORDER BY c.chunk) FROM lmtext.chunk('Second one. Alone.', 'm@1', 6) c}), 'the chunks are those of the last text');
    is(value(q{SELECT count(*) FROM doc_chunks WHERE embedding IS DISTINCT FROM lmtext.embed(content, 'm@1')}), 0, 'and so are their vectors');
    $_->quit for @writers;
}

# ---- Dump and restore ----

{
    my $file = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/dump';
    my $port = [ '-h', $node->host, '-p', $node->port ];
    my $rows = q{SELECT count(*), sum(hashtext(c::text)) FROM doc_chunks c};
    command_ok([ 'pg_dump', @$port, '-Fc', '-Z', '0', '-T', 'big', '-f', $file, 'postgres' ], 'dump');
    value('CREATE DATABASE restored');
    command_ok([ 'pg_restore', @$port, '-d', 'restored', '--exit-on-error', $file ], 'and restore');
    is(value($rows, 'restored'), value($rows), 'the chunks are there');
    is(value($found, 'restored'), value($found), 'and are found');
    is(value($cut, 'restored'), value($cut), 'the calibration is there');
    is(value("UPDATE doc SET body = 'New.' WHERE id = 2; DELETE FROM doc WHERE id = 3; INSERT INTO doc VALUES (50, 'text.');
        SELECT string_agg(id || content || (embedding = lmtext.embed(content, 'm\@1')), ' ' ORDER BY id) FROM doc_chunks WHERE id IN (2, 3, 50)", 'restored'),
        '2New.true 50text.true', 'they are kept in step');
    is(value("CALL lmtext.run_job('by_job'); SELECT count(*) FROM by_job WHERE embedding IS NULL", 'restored'), 0, 'and the job does its own');
    is(value("SET ROLE reader; $found", 'restored') ne '', 1, 'a reader of documents reads chunks');
    value("ALTER TABLE doc ENABLE ROW LEVEL SECURITY", 'restored');
    is(value("SET ROLE reader; SELECT count(*) FROM doc_chunks", 'restored'), 0, 'and none of a document that it does not see');
    value(q{SELECT lmtext.drop_chunks('doc_chunks'), lmtext.drop_chunks('by_job')}, 'restored');
    is(value(q{UPDATE doc SET body = 'No chunks.' WHERE id = 4; SELECT count(*) FROM pg_proc WHERE proname LIKE '%\_keep'}, 'restored'), 0,
        'nothing is left of them');
}
safe('search');
done();
