# 081_sweep.pl - every routine of the extension called with nulls and with odd values of each type, as a
# plain expression, in WHERE and in FROM; aggregates and their helpers with odd states; random queries by
# SQLsmith. Whatever comes of it is a result or an error: the server goes on, and no text of a user is in
# its log.
use strict;
use warnings;

use Lmtext;
use Surface;
use PostgreSQL::Test::Utils;

my $node = start_node('sweep', conf => "log_min_messages = warning\nstatement_timeout = 20s\nmax_stack_depth = 2MB\nlog_line_prefix = '%m [%p] %a %e '\n");
sub ask { return value($_[0]); }

my $huge = effort(200_000, 1_000_000, 10_000_000);
value(<<"SQL");
SET statement_timeout = 0;
CREATE EXTENSION lmtext;
CREATE TABLE given AS SELECT t, ARRAY[t, t] AS ts FROM (SELECT 'Zq9' || 'confidential' || 'Zq9 a text' AS t) x;
CREATE TABLE doc AS SELECT t || n AS body, (n % 3) || t AS label FROM given, generate_series(1, 12) n;
CREATE VIEW a_view AS SELECT 1 AS file;
CREATE INDEX an_index ON doc (label);
CREATE SEQUENCE a_sequence;
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE a_foreign_table (file text) SERVER nowhere;
CREATE TABLE a_partitioned_table (file text) PARTITION BY LIST (file);
CREATE TABLE "empty\@1" OF lmtext.model_part;
SELECT lmtext.import_model('m', '$tiny'), lmtext.import_model('ner', '$tiny-token'), lmtext.import_model('cross', '$tiny-cross'),
    lmtext.import_model('nli', '$tiny-nli'), lmtext.import_model('next', '$tiny-next'), lmtext.import_model('qa', '$tiny-answer'),
    lmtext.import_model('masks', '$tiny-mask', '{"task": "fill_mask"}'), lmtext.import_model('splade', '$tiny-splade'), lmtext.import_model('late', '$tiny-late');
CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "m", "hold_out": 0}');
CALL lmtext.train('counts', 'SELECT body FROM doc', '{"task": "language_model"}');
ALTER DATABASE postgres SET lmtext.embedding_model = 'm';
ALTER DATABASE postgres SET lmtext.classification_model = 'head';
ALTER DATABASE postgres SET lmtext.token_classification_model = 'ner';
ALTER DATABASE postgres SET lmtext.fill_mask_model = 'masks';
ALTER DATABASE postgres SET lmtext.sparse_model = 'splade';
ALTER DATABASE postgres SET lmtext.late_interaction_model = 'late';
ALTER DATABASE postgres SET lmtext.language_model = 'counts';
ALTER DATABASE postgres SET lmtext.rerank_model = 'cross';
ALTER DATABASE postgres SET lmtext.entailment_model = 'nli';
ALTER DATABASE postgres SET lmtext.next_sentence_model = 'next';
ALTER DATABASE postgres SET lmtext.answer_model = 'qa';
-- What is too long to be written into each statement.
CREATE TABLE odd (name text PRIMARY KEY, t text, ts text[], i int[], r real[], b bytea, j jsonb, n bigint[]);
ALTER TABLE odd ALTER t SET STORAGE EXTERNAL;
INSERT INTO odd (name, t, ts) VALUES ('marker', 'Zq9' || 'confidential' || 'Zq9', ARRAY['Zq9' || 'confidential' || 'Zq9']),
    ('megabyte', repeat('Zq9' || 'confidential' || 'Zq9 ', 50000), array_fill('Zq9' || 'confidential' || 'Zq9'::text, '{10000}'));
INSERT INTO odd (name, t) VALUES ('filler', repeat('a word ', 100000));
UPDATE odd SET ts = array_fill('a word'::text, '{10000}') WHERE name = 'filler';
INSERT INTO odd (name, i, n) SELECT 'huge', array_agg(x::int % 100), array_agg(x::bigint) FROM generate_series(1, $huge) x;
INSERT INTO odd (name, r) SELECT 'wide', array_agg(x::real) FROM generate_series(1, $huge) x;
INSERT INTO odd (name, j) VALUES ('deep', (repeat('[', 1000) || repeat(']', 1000))::jsonb);
INSERT INTO odd (name, b) SELECT 'garbage', decode(string_agg(md5(x::text), ''), 'hex') FROM generate_series(1, 1000) x;
SQL
isnt(value("SELECT count(*) FROM odd"), 0, 'odd values');

# Odd values by type, as SQL.
my @texts = (q{''}, q{E'\x7f\x01\r\n'}, q{E'\U0001F469\u200d\U0001F4BB\u0301'}, q{repeat('a', 100000)},
    q{(SELECT t FROM odd WHERE name = 'filler')}, q{'m@99999999999'}, q{'"'}, q{'.'}, q{'pg_class'}, q{'%s%n'});
my %odd = (
    text => \@texts,
    integer => [ -1, 0, 1, 2147483647, -2147483648 ],
    bigint => [ -1, 0, '9223372036854775807', '(-9223372036854775807 - 1)' ],
    boolean => [ 'true', 'false' ],
    'double precision' => [ q{'NaN'}, q{'Infinity'}, -1, q{1e-310} ],
    oid => [ 0, '4294967295' ],
    name => [ q{''}, q{'m'} ],
    regclass => [ 0, q{'an_index'::regclass}, q{'a_view'::regclass}, q{'a_foreign_table'::regclass}, q{'a_sequence'::regclass},
        q{'a_partitioned_table'::regclass}, q{'"empty@1"'::regclass}, q{'pg_class'::regclass}, '4294967295', q{'doc'::regclass} ],
    regrole => [ 0, '4294967295', q{'pg_monitor'::regrole} ],
    jsonb => [ q{'null'}, q{'1'}, q{'"a"'}, q{'[]'}, q{'{}'}, q{'{"config.json": 1}'}, q{'{"a": {"b": [1, null]}}'},
        q{'{"max_tokens": -1, "licence": []}'}, q{'{"": 1e1000}'}, q{(SELECT j FROM odd WHERE name = 'deep')} ],
    bytea => [ q{''}, q{'\x00'}, q{'\xffffffffffffffffffffffffffffffff'}, q{'\x01000000ffffff7f'}, q{(SELECT b FROM odd WHERE name = 'garbage')} ],
    'text[]' => [ q{'{}'}, q{'{NULL}'}, q{'{a,NULL,""}'}, q{'{{a,b},{c,d}}'}, q{'[5:6]={a,b}'}, q{(SELECT ts FROM odd WHERE name = 'filler')} ],
    'real[]' => [ q{'{}'}, q{'{NULL}'}, q{'{1,NULL}'}, q{'{NaN,Infinity}'}, q{'{{1,2},{3,4}}'}, q{'[-3:-2]={1,2}'}, q{'{1e38,1e38}'},
        q{'{1e-45,0}'}, q{(SELECT r FROM odd WHERE name = 'wide')} ],
    'integer[]' => [ q{'{}'}, q{'{NULL}'}, q{'{1,NULL}'}, q{'{-1,2147483647}'}, q{'{{1,2},{3,4}}'}, q{'[7:8]={1,2}'},
        q{(SELECT i FROM odd WHERE name = 'huge')} ],
    'bigint[]' => [ q{'{}'}, q{'{NULL,1}'}, q{'{1}'}, q{'{1,2,3}'}, q{'{{1,2},{3,4}}'}, q{'[0:1]={1,2}'}, q{'{-1,-2}'},
        q{'{9223372036854775807,9223372036854775807}'}, q{(SELECT n FROM odd WHERE name = 'huge')} ],
    anycompatible => [ q{''::text}, q{NULL::text}, '1::int', q{'{1,2}'::int[]}, q{'NaN'::float8} ],
);

# Each argument null, all null, and each odd value at each place with the rest sensible (in CI each second one, in turn).
my @statements;
sub forms
{
    my ($routine, $arguments, $first) = @_;
    my $call = "lmtext.$routine->{name}(" . join(', ', @$arguments) . ')';
    return call_of($routine, $arguments) if $routine->{kind} eq 'p';
    my @forms = ("SELECT $call IS NULL FROM given g");
    @forms = ("SELECT count(*) FROM (SELECT $call FROM given g) x") if $routine->{set};
    push @forms, "SELECT count(*) FROM given g WHERE $call IS NULL" if $first && $routine->{kind} eq 'f' && !$routine->{set};
    push @forms, "SELECT count(*) FROM given g, LATERAL $call" if $first && $routine->{kind} eq 'f';
    push @forms, "SELECT $call OVER () FROM given g" =~ s/\) OVER/\) OVER/r if $first && $routine->{kind} eq 'a';
    return @forms;
}
my @routines = routines(\&ask);
for my $routine (@routines)
{
    my @types = @{ $routine->{types} };
    my @sensible = map { sensible($routine, $_) } 0 .. $#types;
    push @statements, forms($routine, \@sensible, 1);
    push @statements, forms($routine, [ map { /^any/ ? 'NULL::text' : "NULL::$_" } @types ], 1) unless grep { $_ eq 'internal' } @types;
    for my $i (0 .. $#types)
    {
        for my $odd_value ($types[$i] =~ /^any/ ? 'NULL::text' : "NULL::$types[$i]", drawn(2, @{ $odd{ $types[$i] } // ['NULL'] }))
        {
            my @arguments = @sensible;
            my $value = $odd_value;
            # What a text is, names, queries and options are not: those may be told in a message.
            $value =~ s/filler/megabyte/ if ($routine->{names}[$i] // '') =~ /^(text|texts|a|b|actual|predicted|state|documents?|contexts?|hypothesis|references?|answers?|body)$/;
            $arguments[$i] = $value =~ /::|^\(SELECT/ || $types[$i] =~ /^any/ ? $value : "$value\::$types[$i]";
            push @statements, forms($routine, \@arguments, 0);
        }
    }
    # Other types, other numbers of arguments.
    push @statements, map { call_of($routine, $_) } [ map { q{'{}'} } @types ], [ map { '1.5' } @types ], [ ('NULL') x (@types + 1) ], [];
}
# Aggregates over many groups, filtered, ordered, over windows, distinct; states that parallel workers combine.
for my $call ("mean(r)", "mean(r) FILTER (WHERE false)", "accuracy(t, t)", "f1(t, t)", "f1(t, coalesce(t, 'x'), 'macro')",
    "f1(name, t, 'nonsense')", "f1(name, name, name)", "f1(name, name, 'binary', t)", "mean(DISTINCT r)", "mean(r ORDER BY name DESC)")
{
    my $select = "SELECT lmtext.$call IS NULL FROM odd WHERE name NOT IN ('wide', 'megabyte', 'filler')";
    push @statements, $select, "$select GROUP BY name", "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;
        SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET force_parallel_mode = on; $select; RESET force_parallel_mode",
      "SELECT lmtext.$call OVER (ORDER BY name ROWS 1 PRECEDING) IS NULL FROM odd WHERE name <> 'wide'" unless $call =~ /DISTINCT|ORDER|FILTER/;
}
# Everything by its operator.
push @statements, map { my $o = $_; map { "SELECT $_->[0] $o $_->[1]" }
    [ q{'{}'::real[]}, q{'{}'::real[]} ], [ q{'{1}'::real[]}, q{'{1,2}'::real[]} ], [ q{NULL::real[]}, q{'{1}'::real[]} ],
    [ q{'{{1}}'::real[]}, q{'{1}'::real[]} ], [ q{'{0,0}'::real[]}, q{'{0,0}'::real[]} ], [ q{(SELECT r FROM odd WHERE name = 'wide')}, q{(SELECT r FROM odd WHERE name = 'wide')} ] }
    qw(<=> <-> <#>);
push @statements, q{SELECT g.t <=> o.t FROM given g, odd o}, q{SELECT NULL::text <=> 'a'}, q{SELECT '' <=> NULL::text};

# By one session after the other: each runs on after an error. ON_ERROR_STOP is off.
my %states;
my $size = 150;
for (my $at = 0; $at < @statements; $at += $size)
{
    my $last = $at + $size - 1 > $#statements ? $#statements : $at + $size - 1;
    my ($status, $out, $err) = $node->psql('postgres', join("\n", map { "BEGIN; $_; ROLLBACK;" } @statements[ $at .. $last ]),
        on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
    $states{$_}++ for $err =~ /(?:ERROR|FATAL|PANIC):  (\w{5})/g;
    is($status, 0, "statements $at to $last: the session is there at the end")
      or diag(join "\n", @statements[ $at .. $last ]) && diag(substr $err, -2000);
}
cmp_ok(scalar @statements, '>', 1000, scalar(@statements) . ' statements were run');
# What an odd argument may be answered with; an internal error (XX000) or a crash is none of it.
is(join(' ', grep { !/^(0A000|22\w{3}|2202E|42\w{3}|54\w{3}|55000|55006|58P01|58P02|25001|25P02|2D000|39P01|53\w{3}|57014)$/ } sort keys %states), '', 'errors are errors of arguments')
  or diag(join "\n", grep { / (?:XX|P0|40)\w{3} / } split /\n/, slurp_file($node->logfile));
note(join ', ', map { "$_: $states{$_}" } sort keys %states);
# Arrays of ids (row 16 of the list of faults): each kind has its own answer.
for my $case ([ q{'{NULL}'}, '22004' ], [ q{'{-1}'}, '22023' ], [ q{'{2147483647}'}, '22023' ], [ q{'{{1,2},{3,4}}'}, '2202E' ],
    [ q{'{}'}, '' ], [ q{'[5:6]={1,2}'}, '' ], [ "array_fill(1, '{$huge}')", '' ])
{
    is(state_of("SET statement_timeout = 0; SELECT length(lmtext.detokenize($case->[0]::int[], 'm'))"), $case->[1], "ids $case->[0]");
}
safe('the sweep');

# The log so far; SQLsmith, which follows, may give a text where a name or an option stands, and a message tells those.
sub log_text { return slurp_file($node->logfile); }
my $swept = log_text();

# ---- SQLsmith ----
# It draws on the catalogs by unqualified names, so a view before them in its search_path shows it the
# extension's functions alone.

my $queries = effort(300, 1000, 10000);
value(<<'SQL');
SET client_min_messages = error; DROP FOREIGN DATA WRAPPER nothing CASCADE;
CREATE ROLE smith LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO smith;
DELETE FROM odd WHERE name IN ('huge', 'wide', 'megabyte', 'filler');
ALTER ROLE smith SET statement_timeout = '1s';
CREATE SCHEMA smith; GRANT USAGE ON SCHEMA smith TO smith;
CREATE VIEW smith.pg_proc AS SELECT * FROM pg_catalog.pg_proc WHERE pronamespace IN ('lmtext'::regnamespace, 'lmtext_internal'::regnamespace);
GRANT SELECT ON smith.pg_proc TO smith;
ALTER ROLE smith SET search_path = smith, pg_catalog, public;
SQL
my ($out, $err) = ('', '');
my $ended = IPC::Run::run([ 'sqlsmith', '--target=' . $node->connstr('postgres') . ' user=smith', '--exclude-catalog',
    "--max-queries=$queries", '--seed=20260101', '--dump-all-queries' ], '>', \$out, '2>', \$err, IPC::Run::timeout(effort(300, 600, 7200)));
ok($ended, "SQLsmith: $queries queries") or diag(substr $err, -3000);
my %called;
$called{$_}++ for $out =~ /\blmtext(?:_internal)?\.(\w+)\(/g;
cmp_ok(scalar keys %called, '>', 15, 'which call ' . keys(%called) . ' of the functions') or diag(substr "$out$err", -3000);
safe('SQLsmith');

# ---- No text of users in the log ----

my $log = log_text();
cmp_ok(() = $log =~ /ERROR:/g, '>', 300, 'the log has the errors');
is(scalar(grep { length > 2000 && !/ (STATEMENT|QUERY):  |syntax error at/ } split /\n/, $log), 0, 'no message repeats a long argument');
my $told = qr/ERROR:  (?:invalid value for \w+|model|invalid model name|relation|role|schema|function)\b/;
my @leaks = grep { /\Q$marker\E/ } split(/\n/, $swept), grep { !/$told/ } split(/\n/, substr $log, length $swept);
is(scalar @leaks, 0, 'and no text of a user') or diag(join "\n", map { substr $_, 0, 400 } @leaks[ 0 .. ($#leaks < 5 ? $#leaks : 5) ]);
done();
