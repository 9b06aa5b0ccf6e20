# 084_stored.pl - databases that earlier versions of lmtext made and dumped, restored under this one: the same lists,
# token ids, labels, and vectors. (test/upgrade/README.md tells what is in a dump.)
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('stored');

# Other processors round 2^x of the scalar level otherwise in the last bit; what is wrong differs in the first.
my $near = 1e-6;

for my $version (qw(0.2.0 0.3.0))
{
    (my $database = "made_by_$version") =~ tr/./_/;
    value("CREATE DATABASE $database; ALTER DATABASE $database SET lmtext.isa = 'scalar'");
    $node->command_ok([ 'pg_restore', '-d', $node->connstr($database), "$ENV{LMTEXT_SOURCE_DIR}/upgrade/lmtext-$version.dump" ],
        "a dump of $version is restored");
    is(value('SELECT count(*) FROM computed; SELECT count(*) FROM labelled; SELECT count(*) FROM listed', $database), "48\n36\n5",
        '  whole');
    is(value('SELECT count(*) FROM (TABLE listed EXCEPT SELECT name, version, deployed, task, family, dimensions, max_tokens, precision, sha256, labels
        FROM lmtext.models) lost', $database), 0, '  its models are listed as they were');
    is(value('SELECT count(*) FROM computed JOIN doc USING (id) WHERE lmtext.token_ids(body, model) IS DISTINCT FROM ids', $database), 0,
        '  token ids are equal');
    is(value("SELECT count(*) FROM computed JOIN doc USING (id), LATERAL unnest(vector, lmtext.embed(body, model)) pair(old, new)
        WHERE (abs(old - new) < $near) IS NOT TRUE", $database), 0, '  so are vectors, at all precisions');
    is(value("SELECT count(*) FROM labelled l JOIN doc USING (id), LATERAL lmtext.class_scores(body, 'head\@1') s
        WHERE s.label = l.of AND (abs(s.score - l.score) < $near AND lmtext.classify(body, 'head') = l.label) IS NOT TRUE", $database), 0,
        '  and labels and scores');
    is(value(q{SELECT string_agg(model || ': ' || "check", ', ')
        FROM unnest('{m@1,m@2,m@3,st,head}'::text[]) model, LATERAL lmtext.selftest(model) WHERE NOT ok}, $database), '', '  selftest passes');
}

done();
